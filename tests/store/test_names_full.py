"""A queue that is full of names (idempotency keys, deduplication): what brings more is refused, but
never the engine's own jobs, follow-ups and occurrences of schedules. Those have a room for their
names beyond the bound, and beyond that they are stored without the names that would expire."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from shared.declare.schedule import Schedule
from shared.errors import QueueFull
from shared.jobs.follow_ups import FollowUp, follow_up_id
from shared.jobs.job import NAMES_FULL, Guard, Job
from shared.schedules.jobs import job_at, job_of
from shared.store.deaths import RestoreRequest
from tests.support.records import record
from tests.support.turns import Owner, ids
from tests.support.values import Number
from tests.support.world import World

pytestmark = pytest.mark.each_write  # 66 MB and more: only where servers may differ
NAME = f"9999999999999 {'p' * 2**13} other w"
"""A guard of 8 KiB: its fingerprint makes up for many."""
LEVELS = {"with room": 0, "full": 8_400, "full of own": 9_600}
"""How many such names there are: none, 66 MiB, and 75 MiB."""
EVERY = 3600


def _schedule(world: World, overlap: str) -> Schedule:
    queue = world.queue()
    return world.app.schedule("s", queue.types["t"], Number(), every=EVERY, overlap=overlap)  # type: ignore[arg-type]


def _follow_up(world: World) -> Job:
    world.queue()
    follow_up = FollowUp.of(Job("t", '{"n":0}', queue="q"))
    return follow_up.job(follow_up_id("parent.q", "mark", "completed 0"), 1, "", "")


def _occurrence(overlap: str) -> Callable[[World], Job]:
    def make(world: World) -> Job:
        now = world.clock.epoch_ms()
        return job_of(_schedule(world, overlap), now, now)

    return make


def _run_by_hand(world: World) -> Job:
    return job_at(_schedule(world, "skip"), world.clock.epoch_ms())


def _of_a_producer(**options: Guard) -> Callable[[World], Job]:
    def make(world: World) -> Job:
        world.queue()
        return Job("t", '{"n":0}', id="j", **options)  # type: ignore[arg-type]

    return make


class Case(NamedTuple):
    """A job with names. `refused`: at which levels; `names`: how many it leaves at each level."""

    make: Callable[[World], Job]
    refused: tuple[str, ...]
    names: tuple[int, int, int]


CASES = {
    "plain": Case(_of_a_producer(), (), (0, 0, 0)),
    "a key": Case(_of_a_producer(idempotency=Guard("key:k", 5000, "print")),
                  ("full", "full of own"), (1, 0, 0)),
    "deduplicated": Case(_of_a_producer(dedup=Guard("dedup:d")),
                         ("full", "full of own"), (1, 0, 0)),
    "a follow-up": Case(_follow_up, (), (1, 1, 0)),
    "an occurrence": Case(_occurrence("allow"), (), (1, 1, 0)),
    "an occurrence that must not overlap": Case(_occurrence("skip"), (), (2, 2, 1)),
    "a run by hand": Case(_run_by_hand, (), (1, 1, 1)),
}  # fmt: skip


async def _fill(world: World, count: int) -> None:
    key = world.probe.key("q", "dedup")
    for first in range(0, count, 400):
        names = [f"key:{n}" for n in range(first, min(first + 400, count))]
        await world.probe.run("HSET", key, *(word for name in names for word in (name, NAME)))


async def _count(world: World) -> int:
    return int(await world.probe.run("HLEN", world.probe.key("q", "dedup")))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("case", CASES)
async def test_only_the_names_of_producers_refuse_a_job(
    world: World, case: str, level: str
) -> None:
    job, queue = CASES[case].make(world), world.app.queues["q"]
    await _fill(world, LEVELS[level])

    (answer,) = await world.store.enqueue(queue, [job])

    is_refused = level in CASES[case].refused
    assert answer.stored != is_refused
    assert isinstance(answer.refusal, QueueFull) == is_refused
    assert str(answer.refusal or NAMES_FULL) == NAMES_FULL
    names = CASES[case].names[list(LEVELS).index(level)]
    assert await _count(world) == LEVELS[level] + names
    assert ids(await Owner(world.store, queue).claim()) == ([] if is_refused else [job.id])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("case", ["a follow-up", "an occurrence", "a run by hand"])
async def test_a_repeat_of_an_own_job_is_one_job_at_every_level(
    world: World, case: str, level: str
) -> None:
    job, queue = CASES[case].make(world), world.app.queues["q"]
    await _fill(world, LEVELS[level])
    await world.store.enqueue(queue, [job])

    (again,) = await world.store.enqueue_follow_ups(queue, [job], within=5)

    assert again.stored
    assert ids(await Owner(world.store, queue).claim()) == [job.id]


async def test_occurrences_that_must_not_overlap_do_not_in_a_queue_full_of_names(
    world: World,
) -> None:
    schedule, now = _schedule(world, "skip"), world.clock.epoch_ms()
    queue = world.app.queues["q"]
    await _fill(world, LEVELS["full of own"])
    first, second, third = (job_of(schedule, now + 1000 * n, now) for n in range(3))
    await world.store.enqueue(queue, [first])
    (beside,) = await world.store.enqueue(queue, [second])
    owner = Owner(world.store, queue)
    world.clock.advance(5)
    await owner.finish(*await owner.claim())

    (later,) = await world.store.enqueue(queue, [third])

    assert (beside.duplicate, later.duplicate) == (True, False)


@pytest.mark.parametrize("level", LEVELS)
async def test_a_letter_is_restored_only_with_a_name_that_tells_it(
    world: World, level: str
) -> None:
    """Without that name a repeat would make its job again."""
    queue = world.queue()
    await _fill(world, LEVELS[level])
    letter = RestoreRequest("a", "a-1-1", record("x", fence=1, attempts=1))

    first = await world.store.deaths.restore(queue, [letter], names_ms=10**9)
    again = await world.store.deaths.restore(queue, [letter], names_ms=10**9)

    refused = level != "with room"
    assert (first, again) == ((["names"], ["names"]) if refused else (["restored"], ["before"]))
    assert ids(await Owner(world.store, queue).claim()) == ([] if refused else ["a"])
