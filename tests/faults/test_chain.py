"""Drains that are called by one another, and how long a nudged one stays."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared import Queue, RateLimit
from shared.drain.report import StopReason
from shared.errors import ConfigurationError
from shared.nudge.hops import MOST_HOPS, TICK, Origin
from tests.faults.conftest import Play
from tests.support.nudges import SeenNudges
from tests.support.values import Number
from tests.support.world import World

WINDOW = 1.0
NUDGED = Origin(0, nudged=True)


def test_a_nudged_drain_runs_what_comes_within_its_window(play: Play[None]) -> None:
    """The second job has no nudge of its own: one was just sent."""

    async def story(world: World) -> None:
        queue, seen = world.queue(), SeenNudges()
        seen.on(world.store, WINDOW)
        await world.enqueue(queue, 1)
        drain = asyncio.create_task(world.drain(origin=NUDGED).run([queue]))
        await asyncio.sleep(0.5)
        assert world.ran == ["j0000"]
        await world.store.enqueue(queue, [queue.types["t"].job(Number(), job_id="second")])
        report = await drain

        assert (seen.calls, world.ran) == ([(["q"], 0)], ["j0000", "second"])
        assert WINDOW <= report.seconds_used < WINDOW + 0.2

    play(story)


@pytest.mark.parametrize(("origin", "more"), [(NUDGED, 1), (TICK, 0)])
def test_the_wait_for_the_window_costs_one_command(
    play: Play[None], origin: Origin, more: int
) -> None:
    async def story(world: World) -> None:
        queue = world.queue()
        await world.enqueue(queue, 1)
        plain = await world.drain(world.client(), origin=origin).run([queue])
        SeenNudges().on(world.store, WINDOW)
        await world.store.delete(queue, ["j0000"])
        await world.enqueue(queue, 1)
        report = await world.drain(origin=origin).run([queue])

        assert report.commands == plain.commands + more
        assert (report.seconds_used >= WINDOW) == bool(more)

    play(story)


def test_an_idle_tick_is_one_command_with_nudges_too(play: Play[None]) -> None:
    async def story(world: World) -> None:
        world.queue()
        seen = SeenNudges()
        seen.on(world.store, WINDOW)
        await world.drain(origin=TICK).tick()  # sweeps
        reports = [await world.drain(origin=TICK).tick() for _ in range(3)]

        assert ([one.commands for one in reports], seen.calls) == ([1, 1, 1], [])

    play(story)


@pytest.mark.parametrize("nudges", [True, False])
def test_a_lone_job_with_a_nudge_costs_one_command_more_than_with_a_tick(
    play: Play[None], nudges: bool
) -> None:
    async def story(world: World) -> None:
        queue, warm = world.queue(), world.queue("warm")
        await world.store.enqueue(warm, [warm.types["t"].job(Number())])
        await world.drain().tick()  # sweeps; the store has the scripts from here on
        if nudges:
            SeenNudges().on(world.store, WINDOW)
        job = queue.types["t"].job(Number())
        before = world.store.meter.commands
        await world.store.enqueue(queue, [job])
        if nudges:
            await world.drain(origin=NUDGED).run([queue])
        else:
            await world.drain(origin=TICK).tick()

        assert world.store.meter.commands - before == (21 if nudges else 20)

    play(story)


def test_a_drain_that_is_stopped_does_not_wait_for_the_window(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.queue()
        SeenNudges().on(world.store, WINDOW)
        await world.enqueue(queue, 1)
        drain = world.drain(origin=NUDGED)
        running = asyncio.create_task(drain.run([queue]))
        await asyncio.sleep(0.2)
        drain.stop()

        assert (await running).seconds_used < 0.3

    play(story)


async def backlog(world: World, n: int = 6, **options: Any) -> tuple[Queue, SeenNudges]:
    """Jobs of 8 s each, one at a time: two of them fit into 20 s. No nudge is fresh."""
    queue, seen = world.queue(seconds=8, concurrency=1, timeout=9, **options), SeenNudges()
    await world.enqueue(queue, n)
    seen.on(world.store, WINDOW)
    return queue, seen


def test_a_drain_that_runs_out_of_time_calls_the_next(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue, seen = await backlog(world)
        report = await world.drain(budget=20, origin=TICK).tick()

        assert (report.stop, world.ran) == ("budget", ["j0000", "j0001"])
        assert seen.calls == [([queue.name], 1)]
        assert report.as_dict()["continued"] == [queue.name]

    play(story)


def test_a_chain_ends_at_its_most_hops_and_a_tick_goes_on(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue, seen = await backlog(world, 2 * (MOST_HOPS + 5))
        drains, origin = 1, TICK
        await world.drain(budget=20, origin=origin).tick()
        while len(seen.calls) == drains:
            names, hops = seen.calls[-1]
            assert names == [queue.name]
            origin = Origin(hops, nudged=True)
            await world.drain(budget=20, origin=origin).run([queue])
            drains += 1

        assert [hops for _, hops in seen.calls] == list(range(1, MOST_HOPS + 1))
        assert len(world.ran) == 2 * (MOST_HOPS + 1)
        await world.drain(budget=20, origin=TICK).tick()
        assert seen.calls[-1][1] == 1

    play(story)


@pytest.mark.parametrize("origin", [None, TICK])
def test_nothing_is_called_by_a_persons_drain_or_where_nothing_is_left(
    play: Play[None], origin: Origin | None
) -> None:
    async def story(world: World) -> None:
        _queue, seen = await backlog(world, 6 if origin is None else 2)
        report = await world.drain(budget=20, origin=origin).tick()

        assert (seen.calls, report.continued) == ([], [])
        assert "continued" not in report.as_dict()

    play(story)


@pytest.mark.parametrize("how", ["paused", "limited", "full", "called", "delayed", "stopped"])
def test_nothing_is_called_where_the_next_drain_could_start_nothing(
    play: Play[None], how: str
) -> None:
    async def story(world: World) -> None:
        options = {"limit": RateLimit(1, per=3600)} if how == "limited" else {}
        queue, seen = await backlog(world, 2 if how == "delayed" else 6, **options)
        if how == "delayed":
            await world.store.enqueue(
                queue, [queue.types["t"].job(Number(), job_id="later", delay=3600)]
            )
        drain = world.drain(budget=20, origin=TICK)
        if how == "full":
            other = world.client()
            held = asyncio.create_task(world.drain(other, budget=60).run([queue]))
            await asyncio.sleep(0.1)
        running = asyncio.create_task(drain.tick())
        await asyncio.sleep(12)
        if how == "paused":
            await world.store.pause(queue, paused=True)
        if how == "stopped":
            drain.stop(StopReason.SHUTDOWN)
        while how == "called" and not running.done():
            await world.store.take_nudge(queue, 1)
            await asyncio.sleep(0.5)
        report = await running
        if how == "full":
            await held

        assert (seen.calls, report.continued) == ([], [])

    play(story)


def test_a_call_that_fails_is_no_continuation_and_no_error(play: Play[None]) -> None:
    async def story(world: World) -> None:
        await backlog(world)
        SeenNudges(error=ConfigurationError("no such function")).on(world.store, WINDOW)
        report = await world.drain(budget=20, origin=TICK).tick()

        assert (report.stop, report.continued, report.error) == ("budget", [], None)

    play(story)


def test_a_handlers_enqueue_calls_a_drain_one_hop_further(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue, then, seen = world.app.queue("first"), world.queue("then"), SeenNudges()
        seen.on(world.store, WINDOW)

        @queue.job("step")
        def step(payload: Number) -> None:  # a plain def: in a thread
            then.types["t"].enqueue_sync(Number(n=payload.n))

        await step.enqueue(Number())
        origin = Origin(MOST_HOPS - 1, nudged=True)
        await world.drain(origin=origin).run([queue])
        assert seen.calls == [(["first"], 0), (["then"], MOST_HOPS)]

        world.clock.advance(WINDOW)
        await step.enqueue(Number())
        await world.drain(origin=Origin(MOST_HOPS, nudged=True)).run([queue])
        assert [names for names, _ in seen.calls] == [["first"], ["then"], ["first"]]

    play(story)


def test_an_occurrence_of_a_schedule_calls_no_drain_since_this_one_runs_it(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        queue, seen = world.queue(), SeenNudges()
        world.app.schedule("often", queue.types["t"], Number(), every=60)
        seen.on(world.store, WINDOW)
        await world.drain(origin=TICK).tick()
        world.clock.advance(61)
        report = await world.drain(origin=TICK).tick()

        assert (report.outcomes, seen.calls) == ({"done": 1}, [])

    play(story)
