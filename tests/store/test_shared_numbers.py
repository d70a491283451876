"""Numbers that stand in Lua and in Python: the scripts act by the number that Python has."""

from __future__ import annotations

import pytest

from shared import App, Queue
from shared.errors import QueueFull
from shared.jobs.job import Guard, Job
from shared.jobs.short_history import HistoryLevel
from shared.store import Store
from shared.store.sweeps import HOUR, Sweeps
from shared.store.usage import (
    MOST_BYTES_OF_NAMES,
    MOST_OF_SHARE,
    MOST_WITH_FULL_HISTORIES,
    MOST_WITH_SHORT_HISTORIES,
    OVERHEAD_OF_NAME,
    WORST_SHARD,
)
from shared.testing import FakeClock
from tests.support.probe import Probe
from tests.support.turns import Owner, jobs
from tests.support.values import Declare
from tests.support.world import World

SLIGHTLY = 0.001
SHARDS = pytest.mark.parametrize("shards", [1, 2, 3])
ONE_HOUR = HOUR / 1000
"""In seconds."""


def declared(shards: int, max_bytes: float) -> Queue:
    """The queue "q" with these bounds, whatever it was declared with before."""
    return App("tests").queue("q", shards=shards, max_bytes=round(max_bytes))


async def level_at(store: Store, shards: int, max_bytes: float) -> HistoryLevel:
    """The level of the queue as it is stored, if it is declared with these bounds."""
    return (await Owner(store, declared(shards, max_bytes)).turn(0)).history_level


async def fill(store: Store, queue: Queue, *, follows: bool, size: int = 3000) -> int:
    """Jobs of this size into the first shard until it takes no more; its bytes."""
    for n in range(400):
        job = Job("t", f'"{"x" * size}"', id=f"{n:03}{follows}~0", delay_ms=60_000)
        if follows:
            (answer,) = await store.enqueue_follow_ups(queue, [job], within=5.0)
        else:
            (answer,) = await store.enqueue(queue, [job])
        if not answer.stored:
            break
    return (await store.stats(queue)).usage[0].bytes


@pytest.mark.one_shard
@SHARDS
@pytest.mark.parametrize(
    ("multiple", "below", "above"),
    [(MOST_WITH_FULL_HISTORIES, "full", "short"), (MOST_WITH_SHORT_HISTORIES, "short", "minimal")],
)
async def test_the_fullest_shard_decides_the_level_of_histories(
    store: Store, shards: int, multiple: float, below: str, above: str
) -> None:
    size = await fill(store, declared(shards, 60_000 * shards), follows=False)
    bounds = size * shards / multiple  # with these, the shard has this multiple of its share

    assert await level_at(store, shards, bounds * (1 + SLIGHTLY)) == below
    assert await level_at(store, shards, bounds * (1 - SLIGHTLY)) == above


@pytest.mark.one_shard
@SHARDS
async def test_no_shard_gets_larger_by_enqueues_and_follow_ups_than_the_worst_one(
    store: Store, shards: int
) -> None:
    share, size = 120_000, 3000
    queue = declared(shards, share * shards)

    for follows, room in ((False, 1.0 if shards == 1 else MOST_OF_SHARE), (True, WORST_SHARD)):
        most = share * room
        assert most - size - 100 < await fill(store, queue, follows=follows, size=size) <= most

    assert await level_at(store, shards, queue.max_bytes) == "minimal"


@pytest.mark.best_server  # 67 MB
@pytest.mark.one_shard
@pytest.mark.parametrize(("part", "fits"), [(0.97, True), (1.03, False)])
async def test_names_fill_their_entry_at_the_bytes_that_doctor_knows(
    world: World, part: float, *, fits: bool
) -> None:
    queue, key, guard = world.app.queue("q"), world.probe.key("q", "dedup"), "9" * 13
    guard = f"{guard} {'p' * 256} other w"
    each = len("key:0000000") + len(guard) + OVERHEAD_OF_NAME
    count = round(MOST_BYTES_OF_NAMES / each * part)
    for first in range(0, count, 5000):
        names = [f"key:{n:07}" for n in range(first, min(count, first + 5000))]
        await world.probe.run("HSET", key, *(word for name in names for word in (name, guard)))

    named = jobs("named", idempotency=Guard("key:named", 5000, "print"))
    (answer,) = await world.store.enqueue(queue, named)

    assert answer.stored == fits
    assert fits or isinstance(answer.refusal, QueueFull)


@pytest.mark.parametrize(("back", "goes"), [(ONE_HOUR - 1, False), (ONE_HOUR + 1, True)])
async def test_a_clock_that_goes_back_by_an_hour_is_accepted_by_scripts_and_by_sweeps(
    store: Store, declare: Declare, clock: FakeClock, back: float, *, goes: bool
) -> None:
    owner, sweeps = Owner(store, declare()), Sweeps()
    before = (await owner.turn(0)).now_ms
    sweeps.note(before)

    clock.step(-back)

    now = (await owner.turn(0)).now_ms
    assert now == (clock.epoch_ms() if goes else before)
    sweeps.note(clock.epoch_ms())
    assert sweeps.went_back == goes


@pytest.mark.parametrize(("ahead", "is_ended"), [(HOUR - 1000, False), (HOUR + 1000, True)])
async def test_leases_that_end_within_that_hour_stay_after_a_step(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock, ahead: float, *, is_ended: bool
) -> None:
    queue = declare()
    clock.step(5 * ONE_HOUR)
    await store.enqueue(queue, jobs("a"))
    await Owner(store, queue).claim(1)
    clock.step(-5 * ONE_HOUR)
    (lease,) = await probe.run("ZRANGE", probe.key("q", "active"), 0, -1)
    end = round(clock.epoch_ms() + ahead)
    await probe.run("ZADD", probe.key("q", "active"), end, lease)

    await Owner(store, queue, "later").turn(0, resync=True)

    (left,) = (await probe.read("q", "active")).values()
    assert (left < end) == is_ended
