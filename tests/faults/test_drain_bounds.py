"""What one drain may cost others: time beyond its window, turns without use, a wait for one job."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, field_validator

from shared import Discard, JobContext, Retry, Snooze
from shared.clock import SystemClock
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.drain.exclusive import EXCLUSIVE_WAIT, REST_FACTOR
from shared.drain.places import OPEN_CONSUMERS
from shared.drain.report import StopReason
from shared.jobs.job import Job
from tests.faults.conftest import Play
from tests.support.turns import Owner, make_exclusive
from tests.support.values import Number
from tests.support.world import World

DAY = 86_400.0


def test_a_suspect_that_does_not_fit_is_given_back_once(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")

        @queue.job("fast")
        async def fast(payload: Number) -> None: ...

        @queue.job("slow")
        async def slow(payload: Number) -> None:
            await world.clock.sleep(20)

        for name in ("fast", "slow"):
            await world.store.enqueue(
                queue, [Job(name, '{"n":1}', id=f"{name}{i}") for i in range(30)]
            )
        await world.drain(budget=300).run([queue])  # the durations are known from here on
        await world.store.enqueue(queue, [Job("slow", '{"n":1}', id="suspect")])
        await make_exclusive(world.store, queue, world.clock)

        store = world.client(latency=0.01)
        budget = Budget(world.clock.monotonic() + 15, 3, 60, world.clock)
        report = await Drain(store, Registry([world.app]), budget).run([queue])

        assert report.stop == "budget"
        assert sum(one.turns for one in report.queues) <= 3
        assert (await world.store.inspect(queue, "suspect")).state == "waiting"

    play(story)


def test_a_suspect_beside_a_long_job_holds_up_other_queues_only_for_seconds(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        busy, shaky = world.queue("busy", seconds=50, timeout=70), world.queue("shaky")
        other = world.queue("other", seconds=4)
        await world.enqueue(shaky, 1)
        await make_exclusive(world.store, shaky, world.clock)
        await world.enqueue(busy, 1)
        await world.enqueue(other, 3000)

        await world.drain(world.client(latency=0.05), budget=60).tick()

        assert (await world.store.stats(other)).totals["done"] >= 3000 * (1 - EXCLUSIVE_WAIT / 60)

    play(story)


@pytest.mark.parametrize("first", ["shaky", "busy"])
def test_a_suspect_runs_soon_although_its_queue_and_another_have_a_backlog(
    play: Play[None], first: str
) -> None:
    """Within its queue's longest job and the wait, whichever queue a drain begins with."""

    async def story(world: World) -> None:
        names = sorted(("busy", "shaky"), key=lambda name: name != first)
        queues = {name: world.queue(name, seconds=1, concurrency=10) for name in names}
        (suspect,) = await world.enqueue(queues["shaky"], 1)
        await make_exclusive(world.store, queues["shaky"], world.clock)
        for queue in queues.values():
            await world.enqueue(queue, 600)

        await world.drain(world.client(latency=0.05), budget=1 + EXCLUSIVE_WAIT + 5).tick()

        assert (await world.store.inspect(queues["shaky"], suspect)).state == "completed"

    play(story)


def test_many_suspects_leave_other_queues_three_quarters_of_their_speed(play: Play[None]) -> None:
    async def story(world: World) -> None:
        shaky, other = world.queue("shaky", seconds=4), world.queue("other", seconds=1)
        await world.enqueue(shaky, 20)
        await make_exclusive(world.store, shaky, world.clock)
        await world.enqueue(other, 24_000)
        began = (await world.store.stats(other)).totals["done"]

        await world.drain(world.client(latency=0.02), budget=60).tick()

        done = (await world.store.stats(other)).totals["done"] - began
        assert (
            done >= 4 * 100 * 50 * (1 - 1 / (1 + REST_FACTOR)) * 0.9
        )  # four consumers, a second a job
        assert (await world.store.stats(shaky)).totals["done"] >= 3

    play(story)


def test_a_suspect_beside_jobs_of_any_length_runs_at_the_beginning_of_the_next_drain(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        busy = world.queue("busy", seconds=25, timeout=40)
        shaky = world.queue("shaky", seconds=1)
        (suspect,) = await world.enqueue(shaky, 1)
        await make_exclusive(world.store, shaky, world.clock)
        await world.enqueue(shaky, 2000)
        await world.enqueue(busy, 1000)
        process = world.client(latency=0.05)

        await world.drain(process, budget=60).tick()
        assert (await world.store.inspect(shaky, suspect)).state == "waiting"
        await world.drain(process, budget=60).tick()

        assert (await world.store.inspect(shaky, suspect)).state == "completed"

    play(story)


def test_a_drain_ends_in_time_however_many_queues_are_due(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queues = [world.queue(f"q{i:03}", seconds=3) for i in range(8 * OPEN_CONSUMERS)]
        for queue in queues:
            await world.enqueue(queue, 1)
        began = world.clock.monotonic()

        report = await world.drain(world.client(latency=0.2), budget=10).tick()

        assert world.clock.monotonic() - began <= 10
        assert report.seconds_used <= 10
        assert sum(one.turns > 0 for one in report.queues) < len(queues)

    play(story)


def test_queues_beyond_those_that_run_at_a_time_have_their_turn(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queues = [
            world.queue(f"q{i:03}", seconds=4, concurrency=1) for i in range(OPEN_CONSUMERS + 8)
        ]
        for queue in queues:
            await world.enqueue(queue, 60)

        for _ in range(8):
            await world.drain(world.client(latency=0.05), budget=10).tick()
            await world.clock.sleep(50.017)

        ran = [(await world.store.stats(queue)).sizes["completed"] for queue in queues]
        assert min(ran) > 0

    play(story)


@pytest.mark.parametrize("busy", [OPEN_CONSUMERS, OPEN_CONSUMERS + 16])
def test_busy_urgent_queues_leave_the_others_a_turn(play: Play[None], busy: int) -> None:
    async def story(world: World) -> None:
        urgent = [
            world.queue(f"u{i:03}", seconds=4, concurrency=1, priority="high") for i in range(busy)
        ]
        quiet = [world.queue("normal"), world.queue("low", priority="low")]
        for queue in urgent:
            await world.enqueue(queue, 60)
        for queue in quiet:
            await world.enqueue(queue, 1)

        for _ in range(6):
            await world.drain(world.client(latency=0.05), budget=10).tick()
            await world.clock.sleep(50.017)

        sizes = [(await world.store.stats(queue)).sizes["completed"] for queue in quiet]
        assert sizes == [1, 1]

    play(story)


async def test_sigterm_does_not_wait_for_a_thread_of_another_queue(world: World) -> None:
    busy, other = world.app.queue("busy"), world.app.queue("other")
    end, running = threading.Event(), threading.Event()

    @busy.job("t")
    def block(payload: Number) -> None:
        running.set()
        end.wait()

    @other.job("t")
    def quick(payload: Number) -> None: ...

    await world.enqueue(busy, 40)
    await world.enqueue(other, 3)
    clock = SystemClock()
    drain = Drain(world.store, Registry([world.app]), Budget.of(60, clock=clock))
    draining = asyncio.create_task(drain.tick())
    await asyncio.to_thread(running.wait)
    began = clock.monotonic()
    drain.stop()

    await draining

    assert clock.monotonic() - began < 5  # it waited for up to 15 s
    end.set()


def test_a_redrive_gives_a_job_its_snoozes_again(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")

        @queue.job("t")
        async def snoozes(payload: Number, job: JobContext) -> None:
            raise Snooze(DAY)

        await world.store.enqueue(queue, [Job("t", '{"n":1}', id="a")])
        for _ in range(9):
            await world.drain().run([queue])
            world.clock.advance(DAY + 1)
        assert (await world.store.inspect(queue, "a")).state == "dead"

        await world.store.redrive(queue, ["a"])
        await world.drain().run([queue])

        assert (await world.store.inspect(queue, "a")).state == "delayed"

    play(story)


class VersionedPayload(BaseModel):
    """Fits while the functions that run are of its own version."""

    fits: ClassVar[bool] = False
    n: int

    @field_validator("n")
    @classmethod
    def check(cls, n: int) -> int:
        if not cls.fits:
            raise ValueError("of another version")
        return n


@pytest.mark.parametrize("ending", [RuntimeError(), Snooze(1), Discard(), None])
def test_a_payload_that_fitted_meanwhile_has_a_day_again_when_it_does_not(
    play: Play[None], monkeypatch: pytest.MonkeyPatch, ending: Exception | None
) -> None:
    """However its handler ended. None: the payload never fitted, so it has one day only."""

    async def story(world: World) -> None:
        queue = world.app.queue("q", retry=Retry(attempts=9, first=1))

        @queue.job("t")
        async def handle(payload: VersionedPayload) -> None:
            assert ending is not None
            raise ending

        await world.store.enqueue(queue, [Job("t", '{"n":1}', id="a")])
        await world.drain().run([queue])
        world.clock.advance(DAY - 1)
        monkeypatch.setattr(VersionedPayload, "fits", ending is not None)
        await world.drain().run([queue])
        monkeypatch.setattr(VersionedPayload, "fits", False)
        world.clock.advance(1000)
        await world.store.redrive(queue, ["a"])  # for the one that is dead
        await world.drain().run([queue])

        state = (await world.store.inspect(queue, "a")).state
        assert state == ("dead" if ending is None else "parked")

    play(story)


def test_a_cancel_request_does_not_outlive_its_lost_job(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")
        tries = 0

        @queue.job("t")
        async def fails_once(payload: Number) -> None:
            nonlocal tries
            tries += 1
            if tries == 1:
                raise RuntimeError("once")

        job = Job("t", '{"n":1}', id="a")
        await world.store.enqueue(queue, [job])
        await Owner(world.store, queue).claim()
        await world.store.cancel(queue, "a")
        await world.probe.run("HDEL", world.probe.key("q", "records"), "a")
        world.clock.advance(60)
        await world.drain().run([queue])
        await world.store.enqueue(queue, [job])

        await world.drain().run([queue])
        world.clock.advance(60)
        await world.drain().run([queue])

        assert (await world.store.inspect(queue, "a")).state == "completed"

    play(story)


def test_a_stop_before_any_consumer_began_is_the_reason_of_the_whole(play: Play[Any]) -> None:
    async def story(world: World) -> Any:
        queue = world.queue()
        await world.enqueue(queue, 1)
        drain = world.drain()
        drain.stop()
        return await drain.run([queue]), await world.store.stats(queue)

    report, stats = play(story)

    assert (report.stop, report.commands, stats.waiting) == (StopReason.SHUTDOWN, 0, 1)
