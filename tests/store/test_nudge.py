"""Which enqueue calls a drain: the one that puts the first job in line, once in a window."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shared import Queue
from shared.jobs.job import Guard, Job
from shared.store import Store
from shared.testing import FakeClock, Fate
from tests.support.nudges import SeenNudges
from tests.support.turns import Owner, jobs, numbered
from tests.support.values import Declare
from tests.support.world import World

WINDOW = 1.0


@pytest.fixture
def seen(store: Store) -> SeenNudges:
    """The nudges of the world's store."""
    found = SeenNudges()
    found.on(store, WINDOW)
    return found


async def finish_all(store: Store, queue: Queue, name: str = "o") -> None:
    """What a drain does: claim, settle, see that nothing is left."""
    owner = Owner(store, queue, name)
    while held := await owner.claim(100):
        await owner.finish(*held)


@pytest.mark.parametrize(
    "first",
    [
        jobs("a"),
        jobs("a", priority="high"),
        jobs("a", dedup=Guard("dedup:x")),
        jobs("a", run_at_ms=1),
        numbered(20),
        [*jobs("late", delay_ms=5000), *jobs("now")],
    ],
)
async def test_the_first_job_in_line_calls_a_drain_and_no_later_one_does(
    store: Store, declare: Declare, seen: SeenNudges, first: list[Job]
) -> None:
    queue = declare()
    await store.enqueue(queue, first)
    await store.enqueue(queue, jobs("b"))
    await store.enqueue(queue, numbered(10, "more"))

    assert seen.calls == [(["q"], 0)]


@pytest.mark.parametrize("options", [{"delay_ms": 1}, {"run_at_ms": 4_000_000_000_000}])
async def test_a_delayed_job_calls_none(
    store: Store, declare: Declare, seen: SeenNudges, options: dict[str, int]
) -> None:
    await store.enqueue(declare(), jobs("a", **options))
    assert seen.calls == []


async def test_a_paused_queue_calls_none_and_a_resumed_one_waits_for_its_tick(
    store: Store, declare: Declare, seen: SeenNudges
) -> None:
    queue = declare()
    await store.pause(queue, paused=True)
    await store.enqueue(queue, jobs("a"))

    assert seen.calls == []


async def test_a_duplicate_calls_none(store: Store, declare: Declare, seen: SeenNudges) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    await finish_all(store, queue)
    seen.calls.clear()
    await store.enqueue(queue, jobs("a"))

    assert seen.calls == []


async def test_a_thousand_enqueues_beside_a_drain_call_it_once_a_window(
    store: Store, declare: Declare, seen: SeenNudges, clock: FakeClock
) -> None:
    """Each job is drained at once, so each enqueue makes the queue due again. 1,000 in 10 s."""
    queue = declare()
    for i in range(1000):
        await store.enqueue(queue, jobs(f"j{i}"))
        if i % 5 == 0:
            await finish_all(store, queue, f"o{i}")
        clock.advance(0.01)

    assert len(seen.calls) == 10


async def test_a_thousand_enqueues_without_a_drain_call_it_once(
    store: Store, declare: Declare, seen: SeenNudges, clock: FakeClock
) -> None:
    queue = declare()
    for i in range(1000):
        await store.enqueue(queue, jobs(f"j{i}"))
        clock.advance(1)

    assert len(seen.calls) == 1


@pytest.mark.best_server
async def test_of_twenty_racing_producers_one_calls(
    world: World, declare: Declare, clock: FakeClock
) -> None:
    queue, seen = declare(), SeenNudges()
    producers = [seen.on(world.client(), WINDOW) for _ in range(20)]
    for n in range(3):
        await asyncio.gather(
            *(one.enqueue(queue, jobs(f"j{n}-{i}")) for i, one in enumerate(producers))
        )
        await finish_all(world.store, queue, f"o{n}")
        await asyncio.gather(
            *(one.enqueue(queue, jobs(f"k{n}-{i}")) for i, one in enumerate(producers))
        )
        await finish_all(world.store, queue, f"p{n}")
        clock.advance(WINDOW)

    assert len(seen.calls) == 3


async def test_a_job_that_comes_while_another_runs_calls_a_drain(
    store: Store, declare: Declare, seen: SeenNudges, clock: FakeClock
) -> None:
    """The drain that runs the first one may not look for the next 15 s."""
    queue = declare()
    await store.enqueue(queue, jobs("long"))
    assert len(await Owner(store, queue).claim(10)) == 1
    clock.advance(WINDOW)
    await store.enqueue(queue, jobs("next"))

    assert len(seen.calls) == 2


async def test_a_backlog_calls_none(
    store: Store, declare: Declare, seen: SeenNudges, clock: FakeClock
) -> None:
    queue, owner = declare(), Owner(store, declare())
    await store.enqueue(queue, numbered(50))
    for i in range(4):
        await owner.claim(10)
        clock.advance(WINDOW)
        await store.enqueue(queue, jobs(f"more{i}"))

    assert len(seen.calls) == 1


@pytest.mark.parametrize("ahead", [3600, -3600])
async def test_a_store_whose_clock_jumped_calls_again(
    store: Store, declare: Declare, seen: SeenNudges, clock: FakeClock, ahead: int
) -> None:
    queue = declare()
    clock.step(max(0, ahead))
    await store.enqueue(queue, jobs("a"))
    await finish_all(store, queue)
    clock.step(-7200)
    await store.enqueue(queue, jobs("b"))

    assert len(seen.calls) == 2


@pytest.mark.parametrize(
    "fate", [Fate.LOST_BEFORE, Fate.LOST_AFTER, Fate.BAD_GATEWAY, Fate.GARBAGE]
)
@pytest.mark.parametrize("batch", [jobs("a"), numbered(3)])
async def test_a_lost_reply_loses_no_nudge_and_adds_none(
    world: World, declare: Declare, fate: Fate, batch: Sequence[Job]
) -> None:
    seen = SeenNudges()
    store = seen.on(world.client([fate]), WINDOW)
    await store.enqueue(declare(), batch)

    assert seen.calls == [(["q"], 0)]


async def test_the_same_job_again_calls_none(
    store: Store, declare: Declare, seen: SeenNudges
) -> None:
    queue = declare()
    for _ in range(5):
        await store.enqueue(queue, jobs("mine"))

    assert len(seen.calls) == 1


async def test_a_nudge_that_fails_fails_no_enqueue(
    store: Store, declare: Declare, caplog: pytest.LogCaptureFixture, clock: FakeClock
) -> None:
    queue, seen = declare(), SeenNudges(error=ValueError("no such function"))
    seen.on(store, WINDOW)
    for i in range(3):
        (answer,) = await store.enqueue(queue, jobs(f"j{i}"))
        assert answer.state == "waiting"
        await finish_all(store, queue, f"o{i}")
        clock.advance(WINDOW)

    assert len(seen.calls) == 3
    lines = [record for record in caplog.records if record.message == "nudge_failed"]
    assert [vars(line)["error"] for line in lines] == ["ValueError: no such function"]


@pytest.mark.one_shard
@pytest.mark.parametrize("n", [1, 20])
async def test_a_nudge_costs_the_time_of_the_store_once_a_queue_becomes_due(
    store: Store, declare: Declare, seen: SeenNudges, n: int
) -> None:
    queue, prices = declare(), []
    await store.enqueue(declare("warm"), jobs("x"))
    await store.enqueue(declare("warm"), numbered(2))
    for i in range(3):
        before = store.meter.commands
        await store.enqueue(queue, numbered(n, f"r{i}"))
        prices.append(store.meter.commands - before)

    assert prices == [6, 5, 5]


@pytest.mark.one_shard
async def test_the_right_to_call_the_next_drain_is_one_in_a_window(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    assert not await store.take_nudge(queue, 1000)  # nothing waits
    await store.enqueue(queue, jobs("a"))
    before = store.meter.commands
    answers = [await store.take_nudge(queue, 1000) for _ in range(2)]
    cost = store.meter.commands - before
    clock.advance(1)
    answers += [await store.take_nudge(queue, 1000)]
    await store.pause(queue, paused=True)
    clock.advance(1)
    answers += [await store.take_nudge(queue, 1000)]

    assert answers == [True, False, True, False]
    assert cost == 5 + 4  # EVAL, HMGET, EXISTS, TIME; and HSET where it is taken
