"""Many functions drain one queue at once: each job once, and the limits hold over all of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any
from unittest import mock

import pytest

from shared import JobContext, Queue, RateLimit
from shared.drain.drain import CONSUMERS
from shared.store import TurnReply, TurnRequest
from shared.testing import FAULTS, Fate, LossyTransport
from tests.faults.conftest import Play
from tests.support.values import Number
from tests.support.world import World

LATE_MS = 1000
"""By how much a job may start after the time of its token when replies are lost."""


def test_twenty_drains_over_a_thousand_jobs_claim_each_once(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.queue(seconds=0.01)
        ids = await world.enqueue(queue, 1000)
        drains = [world.drain(world.client(latency=0.005), batch=10) for _ in range(20)]

        reports = await asyncio.gather(*(drain.run([queue]) for drain in drains))

        assert sorted(world.ran) == ids
        assert sum(consumer.claimed for report in reports for consumer in report.queues) == 1000
        assert sum(report.outcomes["done"] for report in reports) == 1000
        assert sum(1 for report in reports if report.outcomes["done"]) > 10
        assert (await world.probe.totals()) == {"claimed": 1000, "done": 1000}

    play(story)


@pytest.mark.parametrize("lossy", [False, True])
def test_a_flood_never_runs_more_at_once_than_the_queue_allows(
    play: Play[None], lossy: bool
) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q", concurrency=5)
        active, most = 0, 0

        @queue.job("t")
        async def handle(payload: Number, job: JobContext) -> None:
            nonlocal active, most
            world.began(job)
            active += 1
            most = max(most, active)
            await asyncio.sleep(0.02)
            active -= 1

        ids = await world.enqueue(queue, 500)
        odds = dict.fromkeys(FAULTS, 0.02 if lossy else 0)
        while len(world.ran) < 500:
            seeds = range(len(world.transports), len(world.transports) + 8)
            clients = [world.client(LossyTransport.drawn(s, odds), latency=0.01) for s in seeds]
            await asyncio.gather(*(world.drain(client).run([queue]) for client in clients))

        assert most == 5
        assert sorted(world.ran) == ids

    play(story)


def test_eight_drains_keep_a_rate_limit_and_use_it(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.queue(limit=RateLimit(50, per=1, burst=10))
        ids = await world.enqueue(queue, 1000)
        began = world.clock.monotonic()
        drains = [world.drain(world.client(latency=0.004)) for _ in range(8)]

        reports = await asyncio.gather(*(drain.run([queue]) for drain in drains))

        took = world.clock.monotonic() - began
        print(f"1,000 jobs at 50/s: {took:.2f} s, {sum(r.commands for r in reports)} commands")
        assert sorted(world.ran) == ids
        assert within_limit(world.starts, rate=50, burst=10, slack_ms=4)
        assert 1000 / took >= 0.9 * 50

    play(story)


@pytest.mark.parametrize("seed", range(4))
def test_a_rate_limit_holds_when_replies_are_lost_and_functions_die(
    play: Play[None], seed: int
) -> None:
    async def story(world: World) -> None:
        queue = world.queue(limit=RateLimit(20, per=1, burst=5))
        ids = await world.enqueue(queue, 60)
        odds = dict.fromkeys(FAULTS, 0.05)
        while len(await world.probe.ids("q", "completed")) < 60:
            lossy = world.client(LossyTransport.drawn(seed + len(world.claims), odds))
            dying = world.client([*[Fate.DELIVERED] * 4, *[Fate.LOST_AFTER] * 500])
            drains = [world.drain(client, budget=8) for client in (lossy, dying)]
            await asyncio.gather(*(drain.run([queue]) for drain in drains))
            world.clock.advance(1)

        assert set(world.ran) == set(ids)
        assert within_limit(world.starts, rate=20, burst=5, slack_ms=LATE_MS)

    play(story)


def within_limit(
    instants: list[int], *, rate: int, burst: int, per: float = 1.0, slack_ms: int = 0
) -> bool:
    """Does every window hold at most burst + rate x window / per? Milliseconds; `slack_ms` is by
    how much a job may start later than the time of its token."""
    return all(
        (i - j + 1 - burst) * per * 1000 <= rate * (instants[i] - instants[j] + slack_ms)
        for i in range(len(instants))
        for j in range(i + 1)
    )


def test_two_queues_share_a_function_and_neither_starves(play: Play[None]) -> None:
    async def story(world: World) -> None:
        first = world.queue("first", seconds=0.1, priority="high")
        second = world.queue("second", seconds=0.1, priority="low")
        await world.enqueue(first, 400)
        await world.enqueue(second, 400)

        report = await world.drain(budget=5, batch=4).tick()

        done = Counter({consumer.queue: 0 for consumer in report.queues})
        for consumer in report.queues:
            done[consumer.queue] += consumer.outcomes["done"]
        assert min(done.values()) > 20

    play(story)


def test_ticks_alone_carry_a_job_through_its_whole_life(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")
        runs: list[int] = []

        @queue.job("t")
        async def handle(payload: Number, job: JobContext) -> None:
            runs.append(world.clock.epoch_ms())
            if len(runs) < 3:
                raise ValueError("not yet")

        began = world.clock.epoch_ms()
        await world.enqueue(queue, 1, delay=90)
        commands = 0
        for _ in range(10):
            commands += (await world.drain(world.store, patience=0).tick()).commands
            world.clock.advance(60)

        assert [round((at - began) / 60_000) for at in runs] == [2, 3, 4]
        assert await world.probe.ids("q", "completed") == ["j0000"]
        print(f"ten ticks, one job of three attempts: {commands} commands")

    play(story)


def test_consumers_of_one_drain_overlap_their_round_trips(play: Play[None]) -> None:
    """While one consumer awaits a reply, the jobs of the others run. An exclusive turn would hold
    them up, so a consumer sends one only while a suspect may be waiting."""

    async def story(world: World) -> None:
        queue = world.queue()
        ids = await world.enqueue(queue, 400)
        store, requests = world.client(latency=0.05), list[TurnRequest]()
        turn = store.turn

        async def watched(queue: Queue, ask: TurnRequest, **options: Any) -> TurnReply:
            requests.append(ask)
            return await turn(queue, ask, **options)

        with mock.patch.object(store, "turn", watched):
            began = world.clock.monotonic()
            await world.drain(store, batch=10, patience=0).run([queue])
            used = world.clock.monotonic() - began

        assert sorted(world.ran) == ids
        assert len({ask.owner for ask in requests}) == CONSUMERS
        assert used < 400 / 10 * 0.05 / 2  # half of what one consumer would take
        assert {ask.seq for ask in requests if ask.exclusive} == {1}

    play(story)
