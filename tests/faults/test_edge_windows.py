"""Jobs and windows that don't match: whatever fits runs, and nothing is held back for ever."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

import pytest

from shared import JobContext, Queue, RateLimit, Retry, Snooze
from shared.drain.bounds import FREE_CUTS, MOST_CUTS
from shared.drain.report import Report
from tests.faults.conftest import Play
from tests.support.values import Number
from tests.support.world import World

MINUTE = 60.0


async def ticks(world: World, count: int, window: float, *, latency: float = 0.05) -> list[Report]:
    """One tick a minute, each by a function of its own whose requests take so long."""
    reports = []
    for _ in range(count):
        began = world.clock.monotonic()
        reports.append(await world.drain(world.client(latency=latency), budget=window).tick())
        await world.clock.sleep(max(0.0, MINUTE - (world.clock.monotonic() - began)))
    return reports


async def states(world: World, queue: Queue, ids: list[str]) -> Counter[str]:
    return Counter([(await world.store.inspect(queue, job_id)).state for job_id in ids])


@pytest.mark.parametrize("window", [29, 60, 300])
@pytest.mark.parametrize("timeout", [20, 60])
def test_after_an_outage_of_one_tick_every_job_of_a_healthy_day_runs(
    play: Play[None], window: float, timeout: float
) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q", timeout=timeout, retry=Retry.fixed(attempts=5, wait=30))
        outage = True

        @queue.job("t")
        async def handle(payload: Number, job: JobContext) -> None:
            world.began(job)
            await world.clock.sleep(10_000 if outage else 0.2)

        ids = await world.enqueue(queue, 30)
        await ticks(world, 1, window)
        outage = False
        world.ran.clear()
        late = []
        for hour in range(24):
            jobs = [queue.types["t"].job(Number(), job_id=f"h{hour}n{i}") for i in range(2)]
            await world.store.enqueue(queue, jobs)
            late += [job.id for job in jobs]
            await ticks(world, 60, window)

        assert set(ids) | set(late) <= set(world.ran)
        assert await states(world, queue, ids + late) == {"completed": 78}
        assert (await world.probe.totals()).get("parked", 0) == 0

    play(story)


@pytest.mark.parametrize("seconds", [6.0, 7.0, 8.0, 8.7])
def test_a_job_that_needs_nearly_a_whole_window_runs_in_it(
    play: Play[None], seconds: float
) -> None:
    async def story(world: World) -> None:
        queue = world.queue(seconds=seconds, timeout=60)
        ids = await world.enqueue(queue, 60)
        await ticks(world, 10, 10)
        more = [queue.types["t"].job(Number(), job_id=f"more{i}") for i in range(20)]
        await world.store.enqueue(queue, more)
        await ticks(world, 20, 10)

        assert await states(world, queue, [*ids, *(job.id for job in more)]) == {"completed": 80}
        assert max(Counter(world.ran).values()) <= 1 + FREE_CUTS

    play(story)


def test_what_fits_runs_though_a_job_that_does_not_stands_first(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.queue(timeout=50)

        @queue.job("long")
        async def handle(payload: Number, job: JobContext) -> None:
            world.began(job)
            await world.clock.sleep(40)

        await world.store.enqueue(
            queue, [queue.types["long"].job(Number(), job_id=f"x{i}") for i in range(25)]
        )
        await world.drained(queue, budget=60)  # learned: forty seconds each
        await world.enqueue(queue, 30)
        await world.drained(queue, budget=60)
        world.ran.clear()
        await world.store.enqueue(queue, [queue.types["long"].job(Number(), job_id="first")])
        short = [queue.types["t"].job(Number(), job_id=f"s{i}") for i in range(60)]
        await world.store.enqueue(queue, short)

        late = world.drain(budget=60)
        await world.clock.sleep(42)  # 15 s for handlers are left
        report = await late.run([queue])

        assert sorted(world.ran) == sorted(job.id for job in short)
        assert (report.outcomes["done"], report.outcomes["released"] >= 1) == (60, True)
        await world.clock.sleep(60)
        await world.drained(queue, budget=60)
        view = await world.store.inspect(queue, "first")
        assert (view.state, view.attempts) == ("completed", 1)

    play(story)


def test_a_long_job_behind_a_full_backlog_of_short_ones_gets_a_window(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.queue(seconds=1, timeout=25, concurrency=5)

        @queue.job("long", timeout=25)
        async def handle(payload: Number, job: JobContext) -> None:
            world.began(job)
            await world.clock.sleep(20)

        await world.store.enqueue(
            queue, [queue.types["long"].job(Number(), job_id=f"x{i}") for i in range(25)]
        )
        await ticks(world, 8, 29)
        world.ran.clear()
        await world.enqueue(queue, 900)
        await world.store.enqueue(queue, [queue.types["long"].job(Number(), job_id="long")])
        await ticks(world, 12, 29)

        assert (await world.store.inspect(queue, "long")).state == "completed"
        assert world.ran.count("long") == 1

    play(story)


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_job_longer_than_every_window_is_not_started_for_ever(
    play: Play[None], stubborn: bool
) -> None:
    async def story(world: World) -> None:
        queue = world.queue(seconds=1, timeout=200, retry=Retry.fixed(attempts=3, wait=1))
        let_go = asyncio.Event()

        async def handle(payload: Number, job: JobContext) -> None:
            world.began(job)
            while payload.n == 50 and not let_go.is_set():
                try:
                    await asyncio.sleep(100)
                except asyncio.CancelledError:
                    if not stubborn:
                        raise

        queue.types.pop("t")
        queue.job("t")(handle)
        ids = await world.enqueue(queue, 100)
        await ticks(world, 240, 30)
        early, starts = await world.store.inspect(queue, "j0050"), world.ran.count("j0050")
        for _ in range(4 * 24):
            await ticks(world, 1, 30)
            await world.clock.sleep(3600)
        let_go.set()
        await world.clock.sleep(100)
        view = await world.store.inspect(queue, "j0050")

        assert (early.state, early.attempts) == ("parked", 0)
        assert "a window of this host has" in early.history["parked"]
        assert FREE_CUTS <= starts <= FREE_CUTS + 4
        assert (await states(world, queue, ids))["completed"] == 99
        assert view.state == "dead"
        assert "cut it off" in view.history["errors"][-1]["message"]
        assert world.ran.count("j0050") == MOST_CUTS + queue.retry.attempts
        assert {world.ran.count(job_id) for job_id in ids if job_id != "j0050"} == {1}

    play(story)


def test_cuts_by_the_rest_of_a_window_cost_nothing(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.queue(seconds=12, timeout=25)
        for n in range(8):
            world.clock.advance(1)
            await world.store.enqueue(queue, [queue.types["t"].job(Number(), job_id=f"w{n}")])
            await ticks(world, 3, 29)

        for n in range(8):
            view = await world.store.inspect(queue, f"w{n}")
            assert (view.state, view.attempts) == ("completed", 1)

    play(story)


@pytest.mark.parametrize("phase", [30, 57])
@pytest.mark.parametrize("longs", [1, 40])
def test_hosts_with_unlike_windows_share_a_queue_of_long_and_short_jobs(
    play: Play[None], phase: float, longs: int
) -> None:
    async def story(world: World) -> None:
        queue = world.queue(seconds=1, timeout=200)

        @queue.job("long")
        async def handle(payload: Number, job: JobContext) -> None:
            world.began(job)
            await world.clock.sleep(100)

        async def host(window: float, pause: float) -> None:
            await world.clock.sleep(pause)
            while world.clock.monotonic() - began < 8 * 3600:
                await ticks(world, 1, window)

        began = world.clock.monotonic()
        jobs = [queue.types["long"].job(Number(), job_id=f"x{i}") for i in range(longs)]
        jobs += [queue.types["t"].job(Number(), job_id=f"s{i}") for i in range(40)]
        await world.store.enqueue(queue, jobs)
        await asyncio.gather(host(29, 0), host(300, phase))

        views = [await world.store.inspect(queue, job.id) for job in jobs]
        assert Counter(view.state for view in views) == {"completed": longs + 40}
        assert {view.attempts for view in views} == {1}

    play(story)


def test_a_job_that_was_claimed_and_not_started_keeps_its_token(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.queue(seconds=5, timeout=20, limit=RateLimit(1, per=86_400))

        @queue.job("quick", timeout=1)
        async def handle(payload: Number) -> None: ...

        await world.enqueue(queue, 1)
        late = world.drain(budget=60, patience=0)
        await world.clock.sleep(50)  # 7 s for handlers are left
        report = await late.run([queue])
        assert (report.outcomes, world.ran) == ({"released": 1}, [])
        await world.clock.sleep(60)
        await world.drained(queue, budget=60, patience=0)

        assert world.ran == ["j0000"]

    play(story)


@pytest.mark.parametrize("body", ['{"type":"elsewhere"}\n{}', "nonsense", '{"type":"t"}\n[]'])
def test_a_job_whose_handler_is_not_called_takes_no_token(play: Play[None], body: str) -> None:
    async def story(world: World) -> None:
        queue = world.queue(limit=RateLimit(1, per=86_400))
        await world.store.enqueue(queue, [queue.types["t"].job(Number(), job_id="odd")])
        raw = await world.probe.run("HGET", world.probe.key("q", "records"), "odd")
        header = raw.decode().partition("\n")[0]
        await world.enqueue(queue, 1)
        await world.probe.run("HSET", world.probe.key("q", "records"), "odd", f"{header}\n{body}")

        for _ in range(2):
            await world.drained(queue, patience=0)

        assert (await world.store.inspect(queue, "odd")).state in ("parked", "dead")
        assert world.ran == ["j0000"]

    play(story)


def test_a_snooze_of_nothing_runs_at_most_once_a_second(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")

        @queue.job("t")
        async def handle(payload: Number, job: JobContext) -> None:
            world.began(job)
            raise Snooze(0)

        await world.enqueue(queue, 1)
        report = await world.drained(queue, budget=11)

        assert 1 <= len(world.ran) <= 11
        assert report.commands < 300

    play(story)


def test_a_job_that_snoozes_for_ever_is_dead_after_a_week(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")

        @queue.job("t")
        async def handle(payload: Number, job: JobContext) -> None:
            world.began(job)
            raise Snooze(86_400 / 2)

        await world.enqueue(queue, 1)
        for _ in range(20):
            await world.drained(queue, budget=10, patience=0)
            world.clock.advance(86_400 / 2)
        view = await world.store.inspect(queue, "j0000")

        assert (view.state, len(world.ran)) == ("dead", 16)
        assert view.history["errors"][-1]["type"] == "SnoozedTooLong"

    play(story)


@dataclass(frozen=True)
class RaisingPolicy(Retry):
    """A policy with a bug."""

    def delay_after(self, attempt: int, rng: object = None) -> float:
        raise SystemExit(f"attempt {attempt}")


def test_a_policy_that_exits_for_a_job_that_does_not_end_costs_its_neighbours_nothing(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q", timeout=10, retry=RaisingPolicy(attempts=5))

        @queue.job("t")
        async def handle(payload: Number, job: JobContext) -> None:
            world.began(job)
            for _ in range(payload.n):
                with suppress(asyncio.CancelledError):
                    await world.clock.sleep(10_000)

        stubborn = await handle.enqueue(Number(n=2))
        others = [await handle.enqueue(Number(n=0)) for _ in range(3)]

        (report,) = await ticks(world, 1, 30)

        assert [(await other.status()).state for other in others] == ["completed"] * 3
        view = await stubborn.status()
        assert (report.queues[0].error, report.outcomes) == (None, {"done": 3, "retried": 1})
        assert (view.state, view.errors[0]["type"]) == ("delayed", "SystemExit")

    play(story)
