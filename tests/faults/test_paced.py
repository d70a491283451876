"""A limited queue with a backlog: as fast as its rate allows, and few commands a job."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from shared import RateLimit, Retention
from tests.faults.conftest import Play
from tests.faults.test_many_functions import within_limit
from tests.support.world import World

TICK = 60.0
WINDOW = 55.0
ROUND_TRIP_MS = 20
MOST_TICKS = 300


async def drained_by_ticks(world: World, jobs: int, drains: int) -> int:
    """Ticks, one a minute, until all jobs have ended; the commands of all of them."""
    clients = [world.client(latency=ROUND_TRIP_MS / 1000) for _ in range(drains)]
    commands = 0
    for _ in range(MOST_TICKS):
        began = world.clock.monotonic()
        reports = await asyncio.gather(
            *(world.drain(client, budget=WINDOW).tick() for client in clients)
        )
        commands += sum(report.commands for report in reports)
        if len(await world.probe.ids("q", "completed")) == jobs:
            break
        await world.clock.sleep(max(0.0, TICK - (world.clock.monotonic() - began)))
    return commands


PER_MINUTE, PER_HOUR = 60, 3600
CASES: list[tuple[RateLimit, int, int, int | None, float]] = [
    # limit, jobs, drains, concurrency, most commands a job
    (RateLimit(100, per=60), 1000, 1, None, 1.5),
    (RateLimit(100, per=60), 1000, 1, 10, 1.5),
    (RateLimit(100, per=60), 1000, 4, None, 1.5),
    (RateLimit(1, per=1, burst=1), 300, 1, None, 1.5),
    (RateLimit(1, per=1, burst=1), 300, 4, None, 1.5),
    (RateLimit(10, per=1, burst=1), 2000, 1, None, 1.5),
    (RateLimit(10, per=1, burst=1), 2000, 4, None, 1.5),
    # Slower than twelve a minute, a minute's window starts too few jobs for its two turns.
    (RateLimit(5, per=PER_MINUTE), 60, 1, None, 5.5),
    (RateLimit(5, per=PER_MINUTE), 60, 4, None, 10.0),
    (RateLimit(1, per=PER_MINUTE), 20, 1, None, 19),
    (RateLimit(1, per=PER_HOUR), 5, 1, None, 80),
]


@pytest.mark.parametrize(("limit", "jobs", "drains", "concurrency", "bar"), CASES)
def test_a_backlog_goes_at_its_rate_for_few_commands_a_job(
    play: Play[None],
    limit: RateLimit,
    jobs: int,
    drains: int,
    concurrency: int | None,
    bar: float,
) -> None:
    async def story(world: World) -> None:
        queue = world.queue(
            limit=limit,
            seconds=0.2,
            timeout=30,
            concurrency=concurrency,
            completed=Retention(count=jobs),
        )
        ids = await world.enqueue(queue, jobs)
        commands = await drained_by_ticks(world, jobs, drains)

        took = (world.starts[-1] - world.starts[0]) / 1000
        best = (jobs - limit.burst) * limit.per / limit.rate
        print(
            f"{limit.rate} per {limit.per:g} s, burst {limit.burst}, {drains} drains, "
            f"concurrency {concurrency}: "
            f"{commands / jobs:.2f} commands a job, {took:.0f} s where the rate allows {best:.0f} s"
        )
        assert Counter(world.ran) == Counter(ids)
        assert within_limit(
            world.starts, rate=limit.rate, burst=limit.burst, per=limit.per, slack_ms=ROUND_TRIP_MS
        )
        assert took <= best * 1.15 + TICK
        assert commands / jobs <= bar

    play(story)


@pytest.mark.parametrize(
    ("limit", "jobs", "window", "bar"),
    [
        (RateLimit(1, per=1, burst=1), 600, 290.0, 1.5),
        (RateLimit(5, per=PER_MINUTE), 100, 290.0, 4.0),
        (RateLimit(5, per=PER_MINUTE), 100, 890.0, 4.0),
        (RateLimit(1, per=PER_MINUTE), 30, 890.0, 20.5),
    ],
)
def test_functions_of_long_windows_that_overlap_pay_few_commands_a_job(
    play: Play[None], limit: RateLimit, jobs: int, window: float, bar: float
) -> None:
    """A tick each minute finds the function of an earlier one at work."""

    async def story(world: World) -> None:
        queue = world.queue(limit=limit, seconds=0.2, timeout=30, completed=Retention(count=jobs))
        ids = await world.enqueue(queue, jobs)
        drains = []
        while len(await world.probe.ids("q", "completed")) < jobs:
            client = world.client(latency=ROUND_TRIP_MS / 1000)
            client.sweeps.at = world.clock.monotonic()
            drains.append(asyncio.create_task(world.drain(client, budget=window).tick()))
            await world.clock.sleep(TICK)
            assert len(drains) <= MOST_TICKS
        commands = sum([(await drain).commands for drain in drains])

        took = (world.starts[-1] - world.starts[0]) / 1000
        best = (jobs - limit.burst) * limit.per / limit.rate
        print(
            f"{limit.rate} per {limit.per:g} s, windows of {window:.0f} s: "
            f"{commands / jobs:.2f} commands a job, {took:.0f} s where the rate allows {best:.0f} s"
        )
        assert Counter(world.ran) == Counter(ids)
        assert within_limit(
            world.starts, rate=limit.rate, burst=limit.burst, per=limit.per, slack_ms=ROUND_TRIP_MS
        )
        assert took <= best * 1.15 + TICK
        assert commands / jobs <= bar

    play(story)
