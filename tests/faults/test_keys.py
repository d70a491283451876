"""Limits of keys over many functions: random arrivals, rates and faults."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from typing import Any

import pytest

from shared import JobContext, KeyLimit, Queue, RateLimit, Retention
from shared.store.turn import REPEAT_MS
from shared.testing import FAULTS, LossyTransport
from tests.faults.conftest import Play
from tests.faults.test_many_functions import within_limit
from tests.support.values import Number
from tests.support.world import World

TICK, WINDOW = 60.0, 55.0
ROUND_TRIP_MS = 20


class Ledger:
    """Starts of each key, and the most jobs of one that ran at once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.starts: dict[str, list[int]] = defaultdict(list)
        self.running: Counter[str] = Counter()
        self.most = 0

    def declare(self, seconds: float, **options: Any) -> Queue:
        queue = self._world.app.queue("q", completed=Retention(count=10_000), **options)

        @queue.job("t", key=lambda payload: f"k{payload.n}")
        async def handle(payload: Number, job: JobContext) -> None:
            key = f"k{payload.n}"
            self._world.began(job)
            self.starts[key].append(self._world.clock.epoch_ms())
            self.running[key] += 1
            self.most = max(self.most, self.running[key])
            try:
                await asyncio.sleep(seconds)
            finally:
                self.running[key] -= 1

        return queue


async def enqueue(world: World, queue: Queue, *numbers: int) -> None:
    job_type = queue.types["t"]
    await world.store.enqueue(queue, [job_type.job(Number(n=n)) for n in numbers])


async def tick(world: World, drains: int, odds: float, seed: int) -> None:
    """One call of the schedule, `drains` functions at once."""
    began = world.clock.monotonic()
    chances = dict.fromkeys(FAULTS, odds)
    clients = [
        world.client(LossyTransport.drawn(seed + i, chances), latency=ROUND_TRIP_MS / 1000)
        for i in range(drains)
    ]
    await asyncio.gather(*(world.drain(one, budget=WINDOW).tick() for one in clients))
    await world.clock.sleep(max(0.0, TICK - (world.clock.monotonic() - began)))


@pytest.mark.parametrize("seed", range(12))
def test_each_key_keeps_its_limits_and_each_job_ends(play: Play[None], seed: int) -> None:
    draw = random.Random(seed)

    async def story(world: World) -> None:
        rate = draw.choice([RateLimit(10, per=60), RateLimit(3, per=20, burst=1), RateLimit(7)])
        rates = draw.choice([rate, rate, None])
        most = draw.choice([1, 2, 5]) if rates is None or draw.random() < 0.5 else None
        ledger = Ledger(world)
        queue = ledger.declare(
            draw.choice([0.01, 0.7]),
            per_key=KeyLimit(rates, most),
            concurrency=draw.choice([None, 8]),
        )
        count = 0
        odds = draw.choice([0.0, 0.05])
        for n in range(4):
            numbers = [draw.choice([0, 0, 0, 1, 2, 3]) for _ in range(draw.randrange(40))]
            await enqueue(world, queue, *numbers)
            count += len(numbers)
            await tick(world, draw.randrange(1, 4), odds, seed * 1000 + n * 10)
        for n in range(60):
            if len(await world.probe.ids("q", "completed")) == count:
                break
            await tick(world, 1, 0.0, n)

        totals = await world.probe.totals()
        assert len(await world.probe.ids("q", "completed")) == count, totals
        slack = REPEAT_MS if odds else 2 * ROUND_TRIP_MS  # a reply may come so late
        for starts in ledger.starts.values():
            assert rates is None or within_limit(
                starts, rate=rates.rate, burst=rates.burst, per=rates.per, slack_ms=slack
            )
        assert most is None or odds or ledger.most <= most
        assert odds or Counter(world.ran).most_common(1)[0][1] == 1

    play(story)


def test_a_backlog_of_one_key_uses_its_rate_and_delays_no_other(play: Play[None]) -> None:
    async def story(world: World) -> None:
        ledger = Ledger(world)
        queue = ledger.declare(0.01, per_key=KeyLimit(RateLimit(10, per=60)))
        await enqueue(world, queue, *[0] * 100, *range(1, 50))
        for n in range(15):
            await tick(world, 2, 0.0, n)

        loud = ledger.starts["k0"]
        took = (loud[-1] - loud[0]) / 1000
        assert len(loud) == 100
        print(f"100 jobs at 10 a minute after a burst of 10: {took:.0f} s; the rate allows 540 s")
        assert took <= 540 / 0.95
        assert all(ledger.starts[f"k{n}"][0] - loud[0] < 2000 for n in range(1, 50))

    play(story)
