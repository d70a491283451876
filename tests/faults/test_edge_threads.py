"""Plain `def` handlers: a thread can't be killed, so it keeps its slot and its lease."""

from __future__ import annotations

import itertools
import threading

from shared import JobContext, Retry
from shared.drain.resources import SYNC_THREADS
from tests.faults.conftest import Play
from tests.support.values import Number
from tests.support.world import World


class Spans:
    """When handlers ran. `most`: how many of them at a time."""

    def __init__(self, world: World) -> None:
        self._world, self._lock, self._now = world, threading.Lock(), 0
        self.spans: list[tuple[float, float]] = []
        self.most = 0

    def run(self, seconds: float) -> None:
        """Take so long, in a thread."""
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        began = self._world.clock.monotonic()
        self._world.occupy(seconds)
        with self._lock:
            self._now -= 1
        self.spans.append((began, self._world.clock.monotonic()))


def test_waiting_for_a_thread_is_no_part_of_a_jobs_time(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q", timeout=2)
        spans = Spans(world)

        @queue.job("t")
        def handle(payload: Number) -> None:
            spans.run(1)

        await world.enqueue(queue, 400)
        report = await world.drained(queue, budget=60)

        assert report.outcomes == {"done": 400}
        assert (len(spans.spans), spans.most) == (400, SYNC_THREADS)
        assert report.seconds_used < 400 / SYNC_THREADS + 2

    play(story)


def test_two_queues_of_def_jobs_share_the_threads_and_both_are_done(play: Play[None]) -> None:
    async def story(world: World) -> None:
        spans = Spans(world)
        queues = [world.app.queue(name, timeout=2) for name in ("one", "two")]
        for queue in queues:

            @queue.job("t")
            def handle(payload: Number) -> None:
                spans.run(1)

            await world.enqueue(queue, 100)

        report = await world.drained(*queues, budget=60)

        assert report.outcomes == {"done": 200}
        assert spans.most <= SYNC_THREADS

    play(story)


def test_async_jobs_of_another_queue_do_not_wait_for_threads(play: Play[None]) -> None:
    async def story(world: World) -> None:
        blocking, quick = world.app.queue("blocking", timeout=30), world.queue("quick")

        @blocking.job("t")
        def handle(payload: Number) -> None:
            world.occupy(20)

        await world.enqueue(blocking, 80)
        await world.enqueue(quick, 50)
        began = world.clock.epoch_ms()
        await world.drained(blocking, quick, budget=60)

        assert len(world.starts) == 50
        assert max(world.starts) - began < 1000

    play(story)


def test_a_def_job_longer_than_its_timeout_never_runs_twice_at_once(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue(
            "q", timeout=1, concurrency=1, retry=Retry.fixed(attempts=3, wait=0.1)
        )
        spans = Spans(world)

        @queue.job("t")
        def handle(payload: Number) -> None:
            spans.run(4)

        await world.enqueue(queue, 1)
        await world.drained(queue, budget=60)
        view = await world.store.inspect(queue, "j0000")

        assert (view.state, view.attempts, len(spans.spans), spans.most) == ("dead", 3, 3, 1)
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans.spans))
        message = view.history["errors"][-1]["message"]
        assert message == "not done after 1 s; its thread can't be stopped and ran on"

    play(story)


def test_a_job_whose_thread_outlives_its_window_is_not_handed_out_while_that_runs(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q", timeout=30, concurrency=1)
        spans = Spans(world)

        @queue.job("t")
        def handle(payload: Number) -> None:
            spans.run(40 if not spans.spans and not spans.most else 1)

        await world.enqueue(queue, 1)
        first = await world.drained(queue, budget=10)
        for _ in range(8):
            await world.drained(queue, budget=9, patience=0)
            await world.clock.sleep(9)

        assert first.outcomes == {"released": 1}
        assert (len(spans.spans), spans.most) == (2, 1)
        assert (await world.store.inspect(queue, "j0000")).state == "completed"

    play(story)


def test_a_timed_out_def_job_whose_window_ends_too_is_tried_again_only_after_its_thread(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q", timeout=2, retry=Retry.fixed(attempts=3, wait=0))
        spans = Spans(world)

        @queue.job("t")
        def handle(payload: Number) -> None:
            spans.run(40 if not spans.spans and not spans.most else 1)

        await world.enqueue(queue, 1)
        first = await world.drained(queue, budget=10)
        for _ in range(8):
            await world.drained(queue, budget=9, patience=0)
            await world.clock.sleep(9)
        view = await world.store.inspect(queue, "j0000")

        assert first.outcomes == {"retried": 1}
        assert (len(spans.spans), spans.most) == (2, 1)
        assert (view.state, view.attempts) == ("completed", 2)

    play(story)


def test_threads_that_never_end_leave_the_other_slots_to_the_others(play: Play[None]) -> None:
    async def story(world: World) -> None:
        stuck, well = (world.app.queue(name, timeout=1) for name in ("stuck", "well"))
        let_go = threading.Event()
        ran: list[str] = []

        @stuck.job("t")
        def hang(payload: Number) -> None:
            world.occupy(50)

        @well.job("t")
        def handle(payload: Number, job: JobContext) -> None:
            ran.append(job.id)

        await world.enqueue(stuck, SYNC_THREADS - 1)
        await world.enqueue(well, 60)
        report = await world.drained(stuck, well, budget=20)
        let_go.set()
        await world.clock.sleep(60)

        assert len(ran) == 60
        assert report.outcomes["done"] == 60
        assert report.seconds_used < 20

    play(story)
