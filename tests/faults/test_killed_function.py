"""A function that dies: its jobs come back within a minute, and run together, once."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from shared import JobContext, Queue, RateLimit
from shared.drain.leases import LEASE, MOST_AHEAD, SETTLE_BATCH
from shared.testing import Fate
from tests.faults.conftest import Play
from tests.faults.test_many_functions import within_limit
from tests.support.values import Number
from tests.support.world import World

TICK = 60.0
WINDOW = 300.0


async def killed_after(world: World, seconds: float, *queues: Queue) -> None:
    """A function with a long window that is gone after so many seconds: it settles nothing more."""
    client, others = world.client(), asyncio.all_tasks()
    task = asyncio.create_task(world.drain(client, budget=WINDOW).run(queues))
    await world.clock.sleep(seconds)
    world.transports[-1].script(*[Fate.LOST_BEFORE] * 1000)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    for left in asyncio.all_tasks() - others:  # jobs that wait for their tokens
        left.cancel()


async def ticks_until_done(world: World, name: str, jobs: int, most: int) -> float:
    """Ticks, one a minute, each with a long window; seconds until all jobs have completed."""
    began, ticks = world.clock.monotonic(), list[asyncio.Task[object]]()
    done = began
    for _ in range(most):
        ticks.append(asyncio.create_task(world.drain(world.client(), budget=WINDOW).tick()))
        for _ in range(round(TICK)):
            await world.clock.sleep(1)
            if len(await world.probe.ids(name, "completed")) == jobs:
                done = world.clock.monotonic()
                await asyncio.gather(*ticks)
                return done - began
    raise AssertionError(f"{jobs} jobs are not done after {most} ticks")


def test_the_jobs_of_a_function_killed_in_its_first_second_are_done_within_three_minutes(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        queue = world.queue(seconds=1.0, timeout=30)
        ids = await world.enqueue(queue, 100)
        await killed_after(world, 0.5, queue)
        begun = Counter(world.ran)

        took = await ticks_until_done(world, "q", 100, 3)

        print(f"100 jobs of 1 s after a kill in the first second: {took:.0f} s")
        assert took <= 180
        assert set(world.ran) == set(ids)
        assert all(runs <= 1 + begun[job] for job, runs in Counter(world.ran).items())
        views = [await world.store.inspect(queue, job) for job in ids[:5]]
        assert {(view.attempts, view.crashes) for view in views} == {(1, 0)}

    play(story)


@pytest.mark.parametrize("limit", [RateLimit(1, per=1, burst=1), RateLimit(5, per=60)])
def test_a_killed_function_costs_a_limited_queue_the_tokens_that_it_had_taken_and_no_more(
    play: Play[None], limit: RateLimit
) -> None:
    """Its jobs come back when the last of these tokens has come, and a lease later."""

    async def story(world: World) -> None:
        queue = world.queue(limit=limit, seconds=0.1, timeout=30)
        ids = await world.enqueue(queue, 40)
        await killed_after(world, 30, queue)
        begun, ended = Counter(world.ran), len(await world.probe.ids("q", "completed"))

        took = await ticks_until_done(world, "q", 40, 20)

        print(f"{limit.rate} per {limit.per:g} s: {took:.0f} s after a kill with {ended} settled")
        assert took <= MOST_AHEAD + LEASE + TICK + (40 - ended) * limit.per / limit.rate
        assert set(world.ran) == set(ids)
        assert all(runs <= 1 + begun[job] for job, runs in Counter(world.ran).items())
        again = sum(runs > 1 for runs in Counter(world.ran).values())
        assert again <= SETTLE_BATCH
        assert within_limit(world.starts, rate=limit.rate, burst=limit.burst, per=limit.per)

    play(story)


def test_a_long_job_of_a_living_function_is_not_claimed_by_the_ticks_of_others(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        queue = world.queue(seconds=4 * LEASE, timeout=250)
        ids = await world.enqueue(queue, 3)
        first = asyncio.create_task(world.drain(world.client(), budget=WINDOW).run([queue]))
        for _ in range(4):
            await world.clock.sleep(TICK / 2)
            await world.drain(world.client(), budget=WINDOW).tick()
        report = await first

        assert sorted(world.ran) == ids
        assert report.outcomes == {"done": 3}

    play(story)


def test_an_innocent_batch_of_a_dead_function_needs_no_more_than_three_times_its_healthy_time(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        healthy, killed = (
            world.queue("healthy", seconds=20, timeout=60),
            world.queue("killed", seconds=20, timeout=60),
        )
        await world.enqueue(healthy, 100)
        began = world.clock.monotonic()
        await world.drain(world.client(), budget=WINDOW).run([healthy])
        once = world.clock.monotonic() - began
        await world.enqueue(killed, 100)
        await killed_after(world, 5, killed)
        await world.clock.sleep(LEASE)

        took = await ticks_until_done(world, "killed", 100, 3)

        print(f"100 jobs of 20 s: {once:.0f} s, after their function died {took:.0f} s")
        assert took <= 3 * once

    play(story)


@pytest.mark.parametrize("crashed", [False, True])
def test_a_dead_functions_batch_does_not_delay_another_queue(
    play: Play[None], crashed: bool
) -> None:
    async def story(world: World) -> None:
        killed, other = world.queue("killed", seconds=20, timeout=60), world.app.queue("other")
        waits: list[int] = []

        @other.job("t")
        async def handle(payload: Number, job: JobContext) -> None:
            waits.append(world.clock.epoch_ms())

        await world.enqueue(killed, 100)
        if crashed:
            await killed_after(world, 5, killed)
            await world.clock.sleep(LEASE)
        await world.enqueue(other, 50)
        began = world.clock.epoch_ms()

        await world.drain(world.client(), budget=WINDOW).tick()

        assert len(waits) == 50
        assert max(waits) - began <= 100

    play(story)
