"""Handlers that fail in every way of Python: each is an outcome, and no other job pays."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from shared import Cancel, Discard, JobContext, Retry, RetryLater, Snooze
from shared.drain.failures import LONGEST_OF_PARKED, MOST_PARKED_TYPES
from shared.jobs.ids import local_id
from shared.store.views import JobView
from tests.faults.conftest import Play
from tests.support.values import Number
from tests.support.world import World

Act = Callable[[World], Coroutine[Any, Any, Any]]


async def raising(world: World, error: BaseException, **options: Any) -> JobView:
    """What became of a job whose handler raised this, with two good neighbours."""
    queue = world.app.queue("q", **options)

    @queue.job("t")
    async def handle(payload: Number) -> None:
        if payload.n == 1:
            raise error

    await world.enqueue(queue, 3)
    report = await world.drained(queue, patience=0)
    assert report.outcomes["done"] == 2
    return await world.store.inspect(queue, "j0001")


@pytest.mark.parametrize(
    ("error", "state", "attempts"),
    [
        (ValueError("bad"), "delayed", 1),
        (SystemExit(3), "delayed", 1),
        (KeyboardInterrupt(), "delayed", 1),
        (GeneratorExit(), "delayed", 1),
        (asyncio.CancelledError(), "delayed", 1),
        (StopAsyncIteration(), "delayed", 1),
        (BaseExceptionGroup("two", [SystemExit(), ValueError()]), "delayed", 1),
        (MemoryError(), "delayed", 1),
        (RecursionError(), "delayed", 1),
        (TimeoutError("its own"), "delayed", 1),
        (RetryLater(30), "delayed", 1),
        (Snooze(30), "delayed", 0),
        (Discard("never"), "dead", 1),
        (Cancel("enough"), "cancelled", 1),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_whatever_a_handler_raises_is_an_outcome_of_its_own_job(
    play: Play[JobView], error: BaseException, state: str, attempts: int
) -> None:
    view = play(lambda world: raising(world, error, retry=Retry.fixed(attempts=2, wait=60)))

    assert (view.state, view.attempts, view.crashes) == (state, attempts, 0)


def test_attempts_used_up_are_a_dead_letter_with_the_last_errors(play: Play[JobView]) -> None:
    async def story(world: World) -> JobView:
        queue = world.app.queue("q", retry=Retry.waits([1, 5, 25]))

        @queue.job("t")
        async def handle(payload: Number, job: JobContext) -> None:
            world.began(job)
            raise ValueError(f"attempt {job.attempt}")

        await world.enqueue(queue, 1)
        await world.drain(budget=900, patience=60).run([queue])
        return await world.store.inspect(queue, "j0000")

    view = play(story)

    assert (view.state, view.attempts) == ("dead", 4)
    messages = [error["message"] for error in view.history["errors"]]
    assert messages == ["attempt 1", "attempt 2", "attempt 3", "attempt 4"]


def test_retries_wait_exactly_as_declared_by_the_store_clock(play: Play[list[int]]) -> None:
    async def story(world: World) -> list[int]:
        queue = world.app.queue("q", retry=Retry.waits([1, 5, 25]))

        @queue.job("t")
        async def handle(payload: Number, job: JobContext) -> None:
            world.began(job)
            raise ValueError

        await world.enqueue(queue, 1)
        await world.drain(budget=900, patience=60).run([queue])
        return [b - a for a, b in zip(world.starts, world.starts[1:], strict=False)]

    assert play(story) == [1000, 5000, 25_000]


def test_a_handler_that_hangs_is_cut_off_at_its_timeout_and_pays_an_attempt(
    play: Play[JobView],
) -> None:
    async def story(world: World) -> JobView:
        queue = world.app.queue("q", timeout=5, retry=Retry.fixed(attempts=1))

        @queue.job("t")
        async def handle(payload: Number) -> None:
            if payload.n == 1:
                await asyncio.Event().wait()

        await world.enqueue(queue, 3)
        report = await world.drained(queue)
        assert (report.outcomes["done"], report.outcomes["dead"]) == (2, 1)
        assert report.seconds_used < 6
        return await world.store.inspect(queue, "j0001")

    view = play(story)

    assert (view.state, view.attempts) == ("dead", 1)
    assert view.history["errors"][-1]["message"] == "not done after 5 s"


@pytest.mark.parametrize("stubborn", ["swallows once", "swallows for ever"])
def test_a_handler_that_swallows_its_cancellation_is_not_tried_for_ever(
    play: Play[None], stubborn: str
) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q", timeout=2, retry=Retry.fixed(attempts=2, wait=1))
        let_go = asyncio.Event()

        @queue.job("t")
        async def handle(payload: Number, job: JobContext) -> None:
            world.began(job)
            while payload.n == 1 and not let_go.is_set():
                try:
                    await let_go.wait()
                except asyncio.CancelledError:
                    if stubborn == "swallows once":
                        return

        await world.enqueue(queue, 3)
        for _ in range(4):
            report = await world.drained(queue, budget=10)
            assert report.seconds_left > 0
            world.clock.advance(20)
        let_go.set()

        view = await world.store.inspect(queue, "j0001")
        assert view.state in ("completed", "dead")
        assert world.ran.count("j0001") <= 2
        assert [world.ran.count(j) for j in ("j0000", "j0002")] == [1, 1]

    play(story)


def test_the_end_of_the_budget_gives_unfinished_jobs_back_and_burns_nothing(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        queue = world.queue(seconds=30, timeout=60)
        ids = await world.enqueue(queue, 20)

        report = await world.drain(budget=10, batch=5).run([queue])

        assert report.stop == "budget"
        assert set(report.outcomes) == {"released"}
        assert 0 < report.seconds_left < 1.5
        assert await world.probe.read("q", "active") == {}
        views = [await world.store.inspect(queue, job_id) for job_id in ids]
        assert {(view.state, view.attempts, view.crashes) for view in views} == {("waiting", 0, 0)}
        assert sorted(await world.probe.ids("q", "normal")) == ids

    play(story)


@pytest.mark.parametrize(("signal", "state"), [(None, "waiting"), (Snooze(60), "delayed")])
def test_what_a_handler_raises_because_it_is_cut_off_burns_no_attempt_unless_it_is_a_signal(
    play: Play[JobView], signal: Exception | None, state: str
) -> None:
    async def story(world: World) -> JobView:
        queue = world.app.queue("q", timeout=100)

        @queue.job("t")
        async def handle(payload: Number) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise signal or ValueError("the connection broke") from None

        await world.enqueue(queue, 1)
        await world.drain(budget=10).run([queue])
        return await world.store.inspect(queue, "j0000")

    view = play(story)

    assert (view.state, view.attempts) == (state, 0)


def test_jobs_that_finish_at_the_deadline_are_settled_and_only_the_others_given_back(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q", timeout=60)

        @queue.job("t")
        async def handle(payload: Number, job: JobContext) -> None:
            await world.clock.sleep(1 if payload.n < 5 else 100)

        await world.enqueue(queue, 10)
        report = await world.drain(budget=20).run([queue])

        assert report.outcomes == {"done": 5, "released": 5}
        assert report.stop == "budget"

    play(story)


def test_no_job_is_started_that_is_known_not_to_fit(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.queue(seconds=4, timeout=60, concurrency=10)
        await world.enqueue(queue, 30)
        await world.drain(budget=60).run([queue])
        assert len(world.ran) == 30  # learned: four seconds each
        world.ran.clear()
        await world.store.enqueue(queue, [queue.types["t"].job(Number()) for _ in range(30)])

        report = await world.drain(budget=9).run([queue])

        assert report.outcomes["released"] == 0
        assert report.stop == "budget"
        assert len(world.ran) == report.outcomes["done"] == 10

    play(story)


def test_a_job_that_fits_no_window_of_this_host_is_parked_with_the_reason(
    play: Play[JobView],
) -> None:
    async def story(world: World) -> JobView:
        queue = world.queue(seconds=40, timeout=60)
        await world.enqueue(queue, 25)
        await world.drain(budget=120).run([queue])
        await world.store.enqueue(queue, [queue.types["t"].job(Number(), job_id="late")])
        await world.drain(budget=20).run([queue])
        return await world.store.inspect(queue, "late")

    view = play(story)

    assert (view.state, view.attempts) == ("parked", 0)
    assert "a window of this host has" in view.history["parked"]


def test_a_sync_handler_runs_in_a_thread_with_its_context_and_its_errors(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q", retry=Retry.fixed(attempts=1))
        threads: set[int] = set()

        @queue.job("t")
        def handle(payload: Number, job: JobContext) -> dict[str, int]:
            threads.add(threading.get_ident())
            world.began(job)
            if payload.n == 1:
                raise SystemExit(2)
            if payload.n == 2:
                raise StopIteration
            return {"n": payload.n}

        await world.enqueue(queue, 4)
        report = await world.drained(queue)

        assert (report.outcomes["done"], report.outcomes["dead"]) == (2, 2)
        assert threading.get_ident() not in threads
        assert (await world.store.inspect(queue, "j0003")).history["result"] == {"n": 3}

    play(story)


def test_thirty_two_sync_handlers_run_at_a_time_in_threads_of_the_drain(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")
        together = threading.Barrier(32)
        names: list[str] = []

        @queue.job("t")
        def handle(payload: Number) -> None:
            together.wait(5)
            names.append(threading.current_thread().name)

        await world.enqueue(queue, 32)
        report = await world.drained(queue)

        assert report.outcomes == {"done": 32}
        assert set(names) == {"handler"}

    play(story)


def test_an_unknown_type_is_parked_and_runs_when_its_handler_has_come(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.queue()
        await world.enqueue(queue, 1)
        handler = queue.types.pop("t")
        report = await world.drained(queue)
        assert report.outcomes == {"parked": 1}
        view = await world.store.inspect(queue, "j0000")
        assert (view.state, view.attempts) == ("parked", 0)
        assert "no handler for type 't'" in view.history["parked"]
        queue.types["t"] = handler
        world.clock.advance(900)

        await world.drain().tick()

        assert world.ran == ["j0000"]

    play(story)


def test_a_foreign_producer_fills_no_log_with_types(
    play: Play[None], caplog: pytest.LogCaptureFixture
) -> None:
    async def story(world: World) -> None:
        queue = world.queue()
        raws = [f'{{"type":"{n}{"x" * 5000}","payload":{{}}}}' for n in range(50)]
        await world.probe.run("RPUSH", world.probe.key("q", "inbox"), *raws)
        await world.drained(queue)

    play(story)

    told = [vars(record) for record in caplog.records if record.message == "job_parked"]
    assert len(told) == MOST_PARKED_TYPES
    assert {len(one["type"]) for one in told} == {LONGEST_OF_PARKED}


@pytest.mark.parametrize("jobs", [1, 2, 50])
def test_the_first_parked_job_of_a_type_is_told_once_a_drain(
    play: Play[None], caplog: pytest.LogCaptureFixture, jobs: int
) -> None:
    async def story(world: World) -> None:
        queue = world.queue()
        await world.enqueue(queue, jobs)
        del queue.types["t"]
        for _ in range(2):
            await world.drained(queue)
            world.clock.advance(901)

    play(story)

    told = [record for record in caplog.records if record.message == "job_parked"]
    assert [record.levelname for record in told] == ["WARNING", "WARNING"]
    assert {vars(record)["job_id"] for record in told} == {"j0000.q"}
    assert vars(told[0])["reason"] == "no handler for type 't' on queue 'q'"
    assert vars(told[0])["retry_in"] == 900


@pytest.mark.parametrize(
    "raw",
    [b"\xff\xfe", b"{", b"[]", b'{"type":1,"payload":{}}', b'{"type":"t"}', b"[" * 100_000,
     b'{"type":"t","payload":{"n":"x"}}', b'{"type":"t","payload":NaN}',
     b'{"type":"t","payload":1}',
     b'{"type":"t","payload":{"n":' + b"9" * 5000 + b"}}", b'"\\ud800"', b"\x00"],
)  # fmt: skip
def test_a_foreign_record_that_makes_no_sense_dies_at_once_and_alone(
    play: Play[None], raw: bytes
) -> None:
    async def story(world: World) -> None:
        queue = world.queue()
        ids = await world.enqueue(queue, 3)
        await world.probe.run("RPUSH", world.probe.key("q", "inbox"), raw)

        report = await world.drained(queue)

        assert (report.outcomes["done"], report.outcomes["dead"]) == (3, 1)
        assert world.ran == ids
        (row,) = await world.store.browse(queue, "dead")
        dead = await world.store.inspect(queue, local_id(row.id))
        payload = dead.payload if isinstance(dead.payload, bytes) else dead.payload.encode()
        assert payload == raw

    play(story)


def test_results_that_can_not_be_kept_do_not_undo_success(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")
        ring: list[Any] = []
        ring.append(ring)
        deep: list[Any] = []
        for _ in range(220):
            deep = [deep]
        odd = [object(), ring, float("nan"), "x" * 10**6, b"\xff", {1: {2: 3}}, "\ud800", 2**70]
        odd += [deep, 10**5000]

        @queue.job("t")
        async def handle(payload: Number) -> Any:
            return odd[payload.n]

        await world.enqueue(queue, len(odd))
        report = await world.drained(queue)

        assert report.outcomes == {"done": len(odd)}

    play(story)


def test_many_large_results_are_settled_though_together_they_exceed_a_request(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")

        @queue.job("t")
        async def handle(payload: Number) -> str:
            return '"' * 32_000  # 64 KB as JSON, and twice that as JSON within JSON

        await world.enqueue(queue, 200)
        report = await world.drained(queue, batch=200)

        assert (report.stop, report.outcomes) == ("empty", {"done": 200})

    play(story)


def test_a_cancelled_job_is_stopped_at_the_next_turn(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.queue(seconds=200, timeout=300)
        await world.enqueue(queue, 2)
        draining = asyncio.create_task(world.drain(budget=290).run([queue]))
        await world.clock.sleep(5)
        assert await world.store.cancel(queue, "j0000") == "cancel_requested"

        report = await draining

        assert report.outcomes == {"cancelled": 1, "done": 1}
        assert await world.probe.ids("q", "cancelled") == ["j0000"]

    play(story)


def test_progress_is_seen_while_the_job_runs_and_costs_no_extra_claim(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")

        @queue.job("t")
        async def handle(payload: Number, job: JobContext) -> None:
            job.progress(40, "almost half")
            await world.clock.sleep(10)

        await world.enqueue(queue, 1)
        draining = asyncio.create_task(world.drain().run([queue]))
        await world.clock.sleep(5)
        view = await world.store.inspect(queue, "j0000")
        await draining

        assert (view.state, view.history) == ("active", {"progress": 40, "note": "almost half"})

    play(story)


def test_sigterm_stops_claiming_settles_what_is_done_and_gives_the_rest_back(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")

        @queue.job("t")
        async def handle(payload: Number) -> None:
            await world.clock.sleep(0.5 if payload.n == 0 else 50)

        ids = await world.enqueue(queue, 3)
        drain = world.drain()
        draining = asyncio.create_task(drain.run([queue]))
        await world.clock.sleep(1)
        drain.stop()
        report = await draining

        assert report.stop == "shutdown"
        assert report.outcomes == {"done": 1, "released": 2}
        assert report.seconds_used < 3
        assert await world.probe.ids("q", "normal") == ids[1:]

    play(story)
