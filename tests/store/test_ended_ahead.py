"""Jobs that ended while the store's clock was ahead, after it went back: they are brought back to
that time, or what ends from now on would be the oldest, and the first to be deleted."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from shared import App, Queue, Retention
from shared.deadletters.retention import trim_dead_letters
from shared.errors import StoreError
from shared.jobs.outcome import Kind
from tests.support.failing import failing
from tests.support.turns import Owner, numbered, settle
from tests.support.world import World

HOUR, DAY = 3600, 86_400
MOST = 1000
"""Jobs of a set that one turn brings back."""
SETS: Mapping[Kind, str] = {"done": "completed", "cancelled": "cancelled", "dead": "dead"}
every_end = pytest.mark.parametrize("kind", SETS)
every_jump = pytest.mark.parametrize("ahead", [HOUR + 60, DAY, 400 * DAY])


def _queue(world: World, count: int = 5000, age: float = 600) -> Queue:
    kept = Retention(count=count, age=age)
    return world.app.queue("q", completed=kept, dead=Retention(count=count))


async def _end(world: World, queue: Queue, kind: Kind, prefix: str, n: int) -> list[str]:
    """So many jobs end, a millisecond one after the other where they are few; their ids."""
    batch = numbered(n, prefix)
    await world.store.enqueue(queue, batch)
    owner = Owner(world.store, queue, prefix)
    while claims := (await owner.turn(500)).claims:
        if n > 10:
            await owner.turn(0, [settle(claim, kind) for claim in claims])
            world.clock.advance(0.001)
        else:
            for claim in claims:
                await owner.turn(0, [settle(claim, kind)])
                world.clock.advance(0.001)
    return [job.id for job in batch]


async def _trim(world: World, queue: Queue, kind: Kind) -> None:
    """All that deletes ended jobs, once it is due."""
    world.clock.advance(61)
    await Owner(world.store, queue, f"trims{world.clock.epoch_ms()}").turn(0)
    if kind == "dead":
        await trim_dead_letters(world.store, [queue], seconds=60)


@every_end
@every_jump
async def test_jobs_of_the_time_ahead_are_brought_back_in_their_order(
    world: World, kind: Kind, ahead: int
) -> None:
    queue = _queue(world, age=500 * DAY)
    before = await _end(world, queue, kind, "before", 2)
    world.clock.step(ahead)
    while_ahead = await _end(world, queue, kind, "ahead", 3)
    world.clock.step(-ahead)

    after = await _end(world, queue, kind, "after", 2)

    ended = await world.probe.read("q", SETS[kind])
    assert list(ended) == [*before, *while_ahead, *after]
    assert max(ended.values()) <= world.clock.epoch_ms()
    assert min(ended[job_id] for job_id in while_ahead) > world.clock.epoch_ms() - 1000


@every_end
async def test_a_step_of_less_than_an_hour_moves_none(world: World, kind: Kind) -> None:
    queue = _queue(world)
    world.clock.step(HOUR - 60)
    await _end(world, queue, kind, "ahead", 3)
    ended = await world.probe.read("q", SETS[kind])
    world.clock.step(60 - HOUR)

    await Owner(world.store, queue, "o2").turn()

    assert await world.probe.read("q", SETS[kind]) == ended


@every_end
@every_jump
@pytest.mark.parametrize("n", [1, 2, 3])
async def test_what_ends_after_the_step_back_is_kept_and_the_oldest_go(
    world: World, kind: Kind, ahead: int, n: int
) -> None:
    queue = _queue(world, count=2)
    await _trim(world, queue, kind)
    world.clock.step(ahead)
    while_ahead = await _end(world, queue, kind, "ahead", 2)
    world.clock.step(-ahead)

    after = await _end(world, queue, kind, "after", n)
    await _trim(world, queue, kind)

    assert await world.probe.ids("q", SETS[kind]) == [*while_ahead, *after][-2:]
    assert len((await world.probe.snapshot())["records"]) == 2


@every_end
@pytest.mark.each_write  # thousands of jobs
async def test_nothing_is_deleted_by_count_before_all_are_brought_back(
    world: World, kind: Kind
) -> None:
    """More than a turn brings back. The count is lowered with the step back."""
    world.clock.step(DAY)
    while_ahead = await _end(world, _queue(world), kind, "ahead", 2 * MOST + 10)
    world.clock.step(-DAY)
    fewer = Retention(count=5)
    queue = App("again").queue("q", completed=fewer, dead=fewer)
    owner, left = Owner(world.store, queue), []
    for _ in range(3):
        await owner.turn(0)
        await trim_dead_letters(world.store, [queue], seconds=60)
        ended = await world.probe.read("q", SETS[kind])
        left.append(sum(at > world.clock.epoch_ms() for at in ended.values()))
        assert len(ended) == len(while_ahead) or left[-1] == 0

    after = await _end(world, queue, kind, "after", 3)

    for _ in range(10):
        await _trim(world, queue, kind)
    assert left == [MOST + 10, 10, 0]
    kept = await world.probe.ids("q", SETS[kind])
    assert kept[-3:] == after
    assert len(kept) == 5 or kind == "cancelled"  # these are trimmed by and by


@every_end
@pytest.mark.each_write  # thousands of jobs
@pytest.mark.parametrize("ahead", [HOUR + 40, DAY])
async def test_time_is_the_new_one_while_jobs_are_brought_back(
    world: World, kind: Kind, ahead: int
) -> None:
    queue = _queue(world, age=500 * DAY)
    world.clock.step(ahead)
    await _end(world, queue, kind, "ahead", 2 * MOST + 10)
    world.clock.step(-ahead)
    await world.store.enqueue(queue, numbered(2, "now"))
    runs, other = Owner(world.store, queue, "runs"), Owner(world.store, queue, "other")

    held = (await runs.turn(1)).claims
    claimed = []
    for _ in range(4):  # while the lease of the first lasts
        world.clock.advance(7)
        reply = await other.turn(1)
        claimed += [claim.id for claim in reply.claims]
        assert abs(reply.now_ms - world.clock.epoch_ms()) < 1000

    assert [claim.id for claim in held] == ["now000"]
    assert claimed == ["now001"]
    assert not (await runs.turn(0, [settle(held[0], "done")])).stale


@every_end
@pytest.mark.parametrize("n", range(1, 12))
@pytest.mark.parametrize("killed", [False, True], ids=["once", "killed"])
@pytest.mark.each_write
async def test_a_turn_that_stops_while_it_brings_jobs_back_is_continued(
    world: World, kind: Kind, n: int, *, killed: bool
) -> None:
    queue = _queue(world, count=4)
    world.clock.step(DAY)
    while_ahead = await _end(world, queue, kind, "ahead", 2)
    world.clock.step(-DAY)
    fault = await failing(world, "turn", n, killed=killed)
    try:
        await Owner(world.store, queue, "stopped").turn()
    except StoreError as error:
        await fault.struck(error)

    after = await _end(world, queue, kind, "after", 2)
    await _trim(world, queue, kind)

    ended = await world.probe.read("q", SETS[kind])
    assert list(ended) == [*while_ahead, *after]
    assert max(ended.values()) <= world.clock.epoch_ms()


async def test_a_letter_of_the_time_ahead_is_offered_to_the_archive(world: World) -> None:
    queue = _queue(world)
    world.clock.step(30 * DAY)
    await _end(world, queue, "dead", "a", 2)
    world.clock.step(-30 * DAY)
    await _end(world, queue, "dead", "b", 1)

    now = await world.store.deaths.read(queue, dead_for_ms=HOUR * 1000, skip=0, most=10)
    world.clock.advance(HOUR + 1)
    later = await world.store.deaths.read(queue, dead_for_ms=HOUR * 1000, skip=0, most=10)

    assert (now, [one.id for one in later]) == ([], ["a000", "a001", "b000"])
    assert await world.store.deaths.remove(queue, later) == 3
