"""The store's part of the archive: dead letters are read whole, removed only as the death that was
read, and restored once."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

import pytest

from shared import Queue
from shared.jobs.job import Guard
from shared.store import Store
from shared.store.deaths import Death, RestoreRequest
from shared.testing import FakeClock
from tests.support.probe import Probe
from tests.support.turns import Owner, jobs, numbered
from tests.support.values import Declare

NAMES_MS = 86_400_000


async def die(store: Store, queue: Queue, *names: str, **options: Any) -> None:
    await store.enqueue(queue, jobs(*names, **options))
    await end(store, queue)


async def end(store: Store, queue: Queue) -> None:
    owner = Owner(store, queue, token_hex(4))
    while claims := await owner.claim(100):
        await owner.finish(*claims, kind="dead")


async def read(store: Store, queue: Queue, **options: Any) -> list[Death]:
    return await store.deaths.read(queue, **{"dead_for_ms": 0, "skip": 0, "most": 100, **options})


async def test_the_oldest_death_of_each_queue_is_one_command_while_there_is_none(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    a, b, c = (declare(name) for name in "abc")
    await die(store, declare("warm"), "x")
    await store.deaths.oldest([declare("warm")])
    before = store.meter.snapshot()
    assert (await store.deaths.oldest([a, b, c])).by_queue == {}
    assert store.meter.since(before).commands == 1

    await die(store, a, "old")
    clock.advance(5)
    await die(store, a, "young")
    await die(store, c, "other")
    before = store.meter.snapshot()
    oldest = await store.deaths.oldest([a, b, c])

    assert oldest.now_ms == clock.epoch_ms()
    assert oldest.by_queue == {"a": oldest.now_ms - 5000, "c": oldest.now_ms}
    assert store.meter.since(before).commands == 6


@pytest.mark.one_shard
@pytest.mark.parametrize(("n", "reading"), [(1, 4), (16, 4), (80, 5), (200, 6)])
async def test_pages_cost_a_few_commands(
    store: Store, declare: Declare, n: int, reading: int
) -> None:
    queue = declare()
    await store.enqueue(queue, numbered(n))
    await end(store, queue)
    await read(store, queue, most=1)
    await store.deaths.remove(queue, [Death("none", 1, b"")])
    before = store.meter.snapshot()
    deaths = await read(store, queue, most=200)
    read_for = store.meter.since(before).commands
    removed = await store.deaths.remove(queue, deaths)

    assert (len(deaths), removed) == (n, n)
    assert read_for == reading
    assert store.meter.since(before).commands - read_for == 6


async def test_what_is_young_is_left_and_pages_are_bounded_by_bytes(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await die(store, queue, "a", "b", "c")
    clock.advance(10)
    await die(store, queue, "young")

    old = await read(store, queue, dead_for_ms=10_000)
    assert [one.id for one in old] == ["a", "b", "c"]
    size = len(old[0].record)
    assert [one.id for one in await read(store, queue, most_bytes=1)] == ["a"]
    assert [one.id for one in await read(store, queue, most_bytes=2 * size)] == ["a", "b"]
    assert [one.id for one in await read(store, queue, skip=2)] == ["c", "young"]


async def test_a_later_death_of_the_same_job_is_not_removed(
    store: Store, declare: Declare, clock: FakeClock, probe: Probe
) -> None:
    queue = declare()
    await die(store, queue, "redriven", "again", "gone", "stays")
    deaths = await read(store, queue)
    await store.redrive(queue, ["redriven"])
    await end(store, queue)  # in the same millisecond
    await store.delete(queue, ["again"])
    clock.advance(1)
    await die(store, queue, "again")
    await store.delete(queue, ["gone"])

    assert await store.deaths.remove(queue, deaths) == 1
    assert sorted(one.id for one in await read(store, queue)) == ["again", "redriven"]
    assert sorted((await probe.snapshot("q"))["records"]) == ["again", "redriven"]
    assert (await store.stats(queue)).jobs == 2


async def test_a_waiting_job_is_not_removed(store: Store, declare: Declare) -> None:
    queue = declare()
    await die(store, queue, "a")
    deaths = await read(store, queue)
    await store.redrive(queue, ["a"])

    assert await store.deaths.remove(queue, deaths) == 0
    assert (await store.inspect(queue, "a")).state == "waiting"


async def test_damaged_and_lost_records_are_removed_too(
    store: Store, declare: Declare, probe: Probe
) -> None:
    queue = declare()
    await die(store, queue, "damaged", "lost")
    await probe.run("HSET", probe.key("q", "records"), "damaged", b"no record \xff\n")
    await probe.remove("q", "lost")
    deaths = {one.id: one for one in await read(store, queue)}

    assert deaths["damaged"].record == b"no record \xff\n"
    assert (deaths["damaged"].fence, deaths["lost"].record) == (None, b"")
    assert await store.deaths.remove(queue, list(deaths.values())) == 2
    assert await read(store, queue) == []


async def archived(store: Store, queue: Queue) -> list[RestoreRequest]:
    deaths = await read(store, queue)
    await store.deaths.remove(queue, deaths)
    return [RestoreRequest(one.id, f"{one.id}-{one.at_ms}", one.record.decode()) for one in deaths]


async def test_a_restored_job_waits_as_a_redriven_one_and_only_once(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await die(store, queue, "a", priority="high", key="user-1")
    letters = await archived(store, queue)

    assert await store.deaths.restore(queue, letters, names_ms=NAMES_MS) == ["restored"]
    view = await store.inspect(queue, "a")
    assert (view.state, view.attempts, view.redrives, view.fence) == ("waiting", 0, 1, 1)
    assert (view.key, view.priority) == ("user-1", "high")
    assert (await store.stats(queue)).jobs == 1

    await end(store, queue)
    await archived(store, queue)  # its job is gone, and it died as another death
    assert await store.deaths.restore(queue, letters, names_ms=NAMES_MS) == ["before"]
    clock.advance(NAMES_MS / 1000 + 1)
    assert await store.deaths.restore(queue, letters, names_ms=NAMES_MS) == ["restored"]


async def test_a_restore_answers_what_stands_in_its_way(store: Store, declare: Declare) -> None:
    queue = declare(max_jobs=3)
    name = Guard("dedup:one")
    await die(store, queue, "exists", "free")
    await die(store, queue, "named", dedup=name)
    letters = {one.id: one for one in await archived(store, queue)}
    await store.enqueue(queue, jobs("exists"))
    await store.enqueue(queue, jobs("holder", dedup=name))
    order = [letters[one] for one in ("exists", "named", "free")]

    assert await store.deaths.restore(queue, order, names_ms=1) == ["exists", "taken", "restored"]
    await store.cancel(queue, "exists")
    await store.delete(queue, ["exists"])
    await store.enqueue(queue, jobs("third"))
    assert await store.deaths.restore(queue, [letters["exists"]], names_ms=1) == ["full"]
    assert (await store.stats(queue)).jobs == 3


async def test_a_restored_name_is_taken_again(store: Store, declare: Declare) -> None:
    queue = declare()
    await die(store, queue, "a", dedup=Guard("dedup:one"))
    await store.deaths.restore(queue, await archived(store, queue), names_ms=1)

    (answer,) = await store.enqueue(queue, jobs("b", dedup=Guard("dedup:one")))
    assert (answer.duplicate, answer.id) == (True, "a.q")


@pytest.mark.one_shard
@pytest.mark.parametrize("n", [1, 100])
async def test_a_restore_costs_the_same_for_any_number(
    store: Store, declare: Declare, n: int
) -> None:
    queue = declare()
    await store.enqueue(queue, numbered(n))
    await end(store, queue)
    letters = await archived(store, queue)
    await store.deaths.restore(queue, [], names_ms=1)  # the store learns the script
    before = store.meter.snapshot()
    await store.deaths.restore(queue, letters, names_ms=NAMES_MS)

    assert store.meter.since(before).commands == 9
