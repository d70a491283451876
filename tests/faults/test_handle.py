"""The handle of a job: its state, its result, its cancellation, its redrive, its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias

import pytest

from shared import JobContext, JobHandle, Retention, Retry
from shared.errors import (
    IdempotencyMismatch,
    JobNotFound,
    NameTaken,
    NoResult,
    QueueFull,
)
from tests.support.values import Number
from tests.support.world import World

Story: TypeAlias = Callable[[World], Coroutine[Any, Any, None]]
Play: TypeAlias = Callable[[Story], None]


def declare(world: World, **options: Any) -> Any:
    """Jobs that double their number, fail at 0, and return what is no JSON at -1."""
    queue = world.app.queue("q", **{"retry": Retry.fixed(attempts=1), **options})

    @queue.job("t")
    async def double(payload: Number, job: JobContext) -> Any:
        job.progress(50, "half")
        if payload.n == 0:
            raise ValueError("nothing to double")
        return object() if payload.n == -1 else payload.n * 2

    return double


def test_a_handle_tells_the_job_from_its_enqueue_to_its_result(play: Play) -> None:
    async def story(world: World) -> None:
        double = declare(world)
        handle = await double.enqueue(Number(n=4))
        assert (handle.state, handle.duplicate) == ("waiting", False)
        assert (await handle.status()).state == "waiting"
        assert await handle.progress() is None

        await world.drained(double.queue)

        view = await handle.wait()
        assert (view.state, view.result) == ("completed", 8)
        assert await handle.result() == 8
        assert await handle.cancel() == "completed"
        assert await handle.redrive() is False

    play(story)


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(0, "it is dead: ValueError: nothing to double"), (-1, "the result is not JSON")],
)
def test_a_job_without_a_result_says_why(play: Play, number: int, sentence: str) -> None:
    async def story(world: World) -> None:
        double = declare(world)
        handle = await double.enqueue(Number(n=number))
        await world.drained(double.queue)

        with pytest.raises(NoResult, match=sentence) as caught:
            await handle.result()
        assert caught.value.job.id == handle.id

    play(story)


def test_a_dead_job_is_redriven_and_a_waiting_one_cancelled(play: Play) -> None:
    async def story(world: World) -> None:
        double = declare(world)
        handle = await double.enqueue(Number(n=0))
        await world.drained(double.queue)

        assert await handle.redrive() is True
        assert (await handle.status()).state == "waiting"
        assert await handle.cancel() == "cancelled"
        with pytest.raises(NoResult, match="it is cancelled"):
            await handle.result()

    play(story)


def test_a_wait_ends_with_the_job_or_its_timeout_at_the_cost_it_says(play: Play) -> None:
    async def story(world: World) -> None:
        double = declare(world)
        handle = await double.enqueue(Number(n=1), delay=3600)
        before, began = world.store.meter.snapshot(), world.clock.monotonic()

        with pytest.raises(TimeoutError, match="is delayed after 60 s"):
            await handle.wait()

        used = world.store.meter.since(before)
        assert round(world.clock.monotonic() - began) == 60
        assert used.requests == 14
        assert used.commands <= 14 * 6
        with pytest.raises(TimeoutError):
            await handle.result(timeout=0)
        assert world.store.meter.since(before).requests == 15

    play(story)


def test_the_progress_of_a_running_job_is_told(play: Play) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")

        @queue.job("t")
        async def work(payload: Number, job: JobContext) -> None:
            job.progress(40, "four of ten")
            await world.clock.sleep(30)

        handle = await work.enqueue(Number())
        drain = asyncio.create_task(world.drained(queue))
        await world.clock.sleep(20)

        assert await handle.progress() == 40
        assert (await handle.status()).note == "four of ten"
        await drain

    play(story)


def test_a_wait_sees_the_end_of_a_job_that_runs_meanwhile(play: Play) -> None:
    async def story(world: World) -> None:
        queue = world.queue(seconds=20)
        handle = await queue.types["t"].enqueue(Number())

        async def wait() -> float:
            assert (await handle.wait()).state == "completed"
            return world.clock.monotonic()

        ended, _report = await asyncio.gather(wait(), world.drained(queue))

        assert ended >= 20

    play(story)


def test_a_handle_is_made_of_an_id(play: Play) -> None:
    async def story(world: World) -> None:
        double = declare(world)
        stored = await double.enqueue(Number(n=1), job_id="mine")
        queue = double.queue

        assert (await queue.handle("mine").status()).id == stored.id == queue.handle("mine").id
        assert queue.handle(stored.id).state is None
        for wrong in ("mine.other", "a b", "", "x" * 200):
            with pytest.raises(JobNotFound, match="is no job of queue 'q'"):
                queue.handle(wrong)
        with pytest.raises(JobNotFound):
            await queue.handle("unknown").status()

    play(story)


VERBS: dict[str, Callable[[JobHandle], Any]] = {
    "status": lambda handle: handle.status_sync().state,
    "progress": lambda handle: handle.progress_sync(),
    "wait": lambda handle: handle.wait_sync(timeout=5).state,
    "result": lambda handle: handle.result_sync(timeout=5),
    "cancel": lambda handle: handle.cancel_sync(),
    "redrive": lambda handle: handle.redrive_sync(),
}


def test_every_verb_has_a_twin_for_code_without_an_event_loop(play: Play) -> None:
    async def story(world: World) -> None:
        double, answers = declare(world), dict[str, Any]()
        done = await double.enqueue(Number(n=4))
        await world.drained(double.queue)
        other = world.app.queue("other")

        @other.job("ask")
        def ask(payload: Number) -> None:
            answers.update({name: verb(done) for name, verb in VERBS.items()})

        await ask.enqueue(Number())
        await world.drained(other)

        assert answers == {
            "status": "completed", "progress": await done.progress(), "wait": "completed",
            "result": 8, "cancel": "completed", "redrive": False,
        }  # fmt: skip
        with pytest.raises(RuntimeError, match=r"await status\(\.\.\.\)"):
            done.status_sync()

    play(story)


def test_a_verb_costs_what_the_reference_says(play: Play) -> None:
    async def story(world: World) -> None:
        double = declare(world)
        await (await double.enqueue(Number(n=0), delay=60)).cancel()
        before = world.store.meter.commands

        async def cost(call: Awaitable[object]) -> int:
            nonlocal before
            await call
            before, begun = world.store.meter.commands, before
            return before - begun

        dead = await double.enqueue(Number(n=0), dedup="d", key="k", priority="low")
        await world.drained(double.queue)
        await dead.redrive()
        await world.drained(double.queue)
        running = await double.enqueue(Number(n=1), dedup="e")
        before = world.store.meter.commands

        assert await cost(dead.status()) <= 6
        assert await cost(dead.redrive()) <= 13
        assert await cost(running.status()) <= 6
        assert await cost(running.cancel()) <= 10

    play(story)


def test_what_was_not_stored_is_raised(play: Play) -> None:
    async def story(world: World) -> None:
        double = declare(world, max_jobs=2)
        one = await double.enqueue(Number(n=1), idempotency_key="k")
        again = await double.enqueue(Number(n=1), idempotency_key="k")
        assert (again.id, again.duplicate) == (one.id, False)

        with pytest.raises(IdempotencyMismatch):
            await double.enqueue(Number(n=2), idempotency_key="k")
        keyed = [double.job(Number(n=n), idempotency_key="k") for n in (1, 2)]
        with pytest.raises(IdempotencyMismatch, match="1 of 2 jobs") as mismatch:
            await double.enqueue_many(keyed)
        assert [answer.stored for answer in mismatch.value.answers] == [True, False]
        many = [double.job(Number(n=n)) for n in range(3)]
        with pytest.raises(QueueFull, match="2 of 3 jobs") as full:
            await double.enqueue_many(many)
        assert [answer.stored for answer in full.value.answers] == [True, False, False]

    play(story)


Redrive: TypeAlias = Callable[[World, JobHandle], Awaitable[bool]]


def test_a_redriven_job_takes_its_name_again(play: Play) -> None:
    async def story(world: World) -> None:
        double = declare(world)
        dead = await double.enqueue(Number(n=0), dedup="daily")
        await world.drained(double.queue)
        assert await dead.redrive()

        twin = await double.enqueue(Number(n=0), dedup="daily")

        assert (twin.id, twin.duplicate) == (dead.id, True)

    play(story)


def test_a_redrive_tells_that_its_name_is_taken(play: Play) -> None:
    async def story(world: World) -> None:
        double = declare(world)
        dead = await double.enqueue(Number(n=0), dedup="daily")
        await world.drained(double.queue)
        other = await double.enqueue(Number(n=0), dedup="daily", delay=60)
        assert not other.duplicate

        with pytest.raises(NameTaken, match="another job holds its deduplication name 'daily'"):
            await dead.redrive()
        assert (await dead.status()).state == "dead"
        await other.cancel()
        assert await dead.redrive()

    play(story)


@pytest.mark.parametrize("option", [{"dedup": "d"}, {"dedup": "d", "dedup_ttl": 2e6}, {}])
def test_a_duplicate_tells_what_its_holder_is_now(play: Play, option: dict[str, Any]) -> None:
    async def story(world: World) -> None:
        queue, started, go = world.app.queue("q"), asyncio.Event(), asyncio.Event()

        @queue.job("t")
        async def handle(payload: Number) -> None:
            started.set()
            await go.wait()

        async def again(**options: Any) -> str | None:
            twin = await handle.enqueue(Number(), job_id="mine", **option, **options)
            assert twin.duplicate or options
            return twin.state

        assert await again(delay=5) == "delayed"
        assert await again() == "delayed"
        await world.clock.sleep(5)
        drain = asyncio.create_task(world.drained(queue))
        await started.wait()
        assert await again() == "active"
        go.set()
        await drain
        if option != {"dedup": "d"}:  # which its end set free
            assert await again() == "completed"

    play(story)


def test_a_job_that_died_and_holds_a_window_is_told_as_dead(play: Play) -> None:
    async def story(world: World) -> None:
        double = declare(world, completed=Retention(count=0))
        window: dict[str, Any] = {"dedup": "w", "dedup_ttl": 3600}
        dead = await double.enqueue(Number(n=0), **window)
        await world.drained(double.queue)

        assert (await double.enqueue(Number(n=0), **window)).state == "dead"
        await world.store.delete(double.queue, [dead.id.partition(".")[0]])
        assert (await double.enqueue(Number(n=0), **window)).state == "gone"

    play(story)


def test_an_own_id_is_held_while_its_record_is_kept_and_by_a_window_longer(play: Play) -> None:
    async def story(world: World) -> None:
        double = declare(world, completed=Retention(count=1))
        for job_id in ("a", "b"):
            await double.enqueue(Number(n=1), job_id=job_id, dedup=job_id, dedup_ttl=3600)
            await world.drained(double.queue)

        freed = await double.enqueue(Number(n=1), job_id="a")
        held = await double.enqueue(Number(n=1), job_id="b", dedup="b", dedup_ttl=3600)

        assert (freed.duplicate, held.duplicate) == (False, True)

    play(story)


@pytest.mark.parametrize("way", ["single", "many", "mixed"])
def test_jobs_of_one_instant_start_in_the_order_of_their_enqueue(play: Play, way: str) -> None:
    async def story(world: World) -> None:
        queue = world.queue(concurrency=1)
        t, at = queue.types["t"], "2027-01-15T09:00:00Z"
        ids = [str(n) for n in range(1, 40)]
        jobs = [t.job(Number(), job_id=job_id, run_at=at) for job_id in ids]
        half = {"single": 0, "many": len(jobs), "mixed": 20}[way]
        if half:
            await t.enqueue_many(jobs[:half])
        for job in jobs[half:]:
            await t.enqueue_many([job])

        world.clock.advance(3600)
        await world.drained(queue)

        assert world.ran == ids

    play(story)


def test_delayed_jobs_of_one_request_start_in_its_order(play: Play) -> None:
    async def story(world: World) -> None:
        queue = world.queue(concurrency=1)
        ids = [str(n) for n in range(1, 40)]
        jobs = [queue.types["t"].job(Number(), job_id=job_id, delay=60) for job_id in ids]
        await queue.types["t"].enqueue_many(jobs)

        await world.clock.sleep(60)
        await world.drained(queue)

        assert world.ran == ids

    play(story)


@pytest.mark.parametrize(("other", "seconds", "start"), [(False, 10, 15), (True, 30, 30)])
def test_a_job_of_a_running_handler_starts_as_late_as_documented(
    play: Play, *, other: bool, seconds: int, start: int
) -> None:
    """So a handler that waits for it mostly waits in vain."""

    async def story(world: World) -> None:
        first = world.app.queue("first")
        target, starts = world.app.queue("second") if other else first, list[float]()

        @target.job("after")
        async def note(payload: Number) -> None:
            starts.append(world.clock.monotonic() - began)

        @first.job("t", timeout=50)
        async def wait(payload: Number) -> None:
            handle = await note.enqueue(Number())
            with pytest.raises(TimeoutError):
                await handle.wait(timeout=seconds)
            await world.clock.sleep(30 - seconds)

        await world.enqueue(first, 1)
        began = world.clock.monotonic()

        await world.drain(budget=120).tick()

        assert [round(at) for at in starts] == [start]

    play(story)
