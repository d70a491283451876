"""Each failed attempt is logged once and told to the application's hooks; nothing that a hook does
changes what becomes of its job."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared import Cancel, JobFailure, Queue, Retry, Snooze
from shared.drain.failures import HOOK_SECONDS
from tests.faults.conftest import Play
from tests.support.values import Number
from tests.support.world import World

Hook = Callable[[BaseException, JobFailure], Any]


def declared(world: World, act: Callable[[], Awaitable[Any]], **options: Any) -> Queue:
    """A queue whose jobs do this, with two attempts."""
    queue = world.app.queue("q", **{"retry": Retry.fixed(attempts=2, wait=1.0), **options})

    @queue.job("t")
    async def handle(payload: Number) -> None:
        await act()

    return queue


async def lose() -> None:
    raise KeyError("lost")


def failures(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [record for record in caplog.records if record.msg == "job_failed"]


def test_each_attempt_is_logged_once_with_its_job_and_traceback(
    play: Play[None], caplog: pytest.LogCaptureFixture
) -> None:
    async def story(world: World) -> None:
        queue = declared(world, lose)
        await world.enqueue(queue, 1)
        await world.drained(queue)

    play(story)

    first, second = failures(caplog)
    assert (first.levelno, second.levelno) == (logging.WARNING, logging.ERROR)
    assert (first.attempt, first.outcome, first.retry_in) == (1, "retry", 1.0)
    assert (second.attempt, second.outcome, second.retry_in) == (2, "dead", None)
    for record in (first, second):
        assert (record.queue, record.job_id, record.type) == ("q", "j0000.q", "t")
        assert record.error == "KeyError: 'lost'"
        assert record.exc_text.splitlines()[1].endswith("in handle")


@pytest.mark.parametrize("signal", [Snooze(5), Cancel("enough")])
def test_a_signal_that_is_no_failure_is_not_logged(
    play: Play[None], caplog: pytest.LogCaptureFixture, signal: Exception
) -> None:
    async def act() -> None:
        raise signal

    async def story(world: World) -> None:
        queue = declared(world, act)
        await world.enqueue(queue, 1)
        await world.drained(queue, budget=4)

    play(story)

    assert failures(caplog) == []


def test_a_timeout_tells_where_the_handler_stood(
    play: Play[Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def story(world: World) -> Any:
        async def oversleep() -> None:
            await world.clock.sleep(60)

        queue = declared(world, oversleep, timeout=2, retry=Retry.fixed(attempts=1))
        await world.enqueue(queue, 1)
        await world.drained(queue)
        return await world.store.inspect(queue, "j0000")

    view = play(story)

    (record,) = failures(caplog)
    assert record.error == "TimeoutError: not done after 2 s"
    (error,) = view.errors
    assert "tests/faults/test_failures.py" in error["where"]
    assert error["stack"][-1].endswith("in oversleep")


def test_a_payload_that_does_not_fit_is_a_failure(
    play: Play[None], caplog: pytest.LogCaptureFixture
) -> None:
    told: list[tuple[str, bool]] = []

    async def story(world: World) -> None:
        queue = declared(world, lose)
        world.app.on_failure(lambda error, job: told.append((type(error).__name__, job.dead)))
        record = b'{"type": "t", "payload": {"n": "many"}}'
        await world.probe.run("RPUSH", world.probe.key("q", "inbox"), record)
        await world.drained(queue)

    play(story)

    (record,) = failures(caplog)
    assert record.error.startswith("InvalidPayload: the payload does not fit Number: n:")
    assert told == [("InvalidPayload", True)]


def test_hooks_are_told_of_the_error_and_its_job(play: Play[None]) -> None:
    told: list[tuple[BaseException, JobFailure]] = []

    async def story(world: World) -> None:
        queue = declared(world, lose)

        @world.app.on_failure
        def keep(error: BaseException, job: JobFailure) -> None:
            told.append((error, job))

        @world.app.on_failure
        async def keep_too(error: BaseException, job: JobFailure) -> None:
            await asyncio.sleep(0)
            told.append((error, job))

        await world.enqueue(queue, 1, key="ann")
        await world.drained(queue)

    play(story)

    assert [str(error) for error, _ in told] == ["'lost'"] * 4
    first = {"id": "j0000.q", "app": "world", "queue": "q", "type": "t", "key": "ann"}
    counts = [(job.attempt, job.attempts, job.retry_in, job.dead) for _, job in told]
    assert counts == [(1, 2, 1.0, False)] * 2 + [(2, 2, None, True)] * 2
    assert told[0][1] == JobFailure(**first, attempt=1, attempts=2, retry_in=1.0)


def test_the_log_rounds_the_wait_of_a_retry(
    play: Play[None], caplog: pytest.LogCaptureFixture
) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q", retry=Retry.fixed(attempts=2, wait=4.575299514410872))

        @queue.job("t")
        async def handle(payload: Number) -> None:
            raise KeyError

        await world.enqueue(queue, 1)
        await world.drained(queue, budget=3)

    play(story)

    assert failures(caplog)[0].retry_in == 4.6


def fail_in_place(_error: BaseException, _job: JobFailure) -> None:
    raise SystemExit(3)


async def fail_later(_error: BaseException, _job: JobFailure) -> None:
    raise StopAsyncIteration


async def ignore_its_cancellation(_error: BaseException, _job: JobFailure) -> None:
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()


async def hang(_error: BaseException, _job: JobFailure) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("hook", "logged"),
    [
        (fail_in_place, "failure_hook_failed"),
        (fail_later, "failure_hook_failed"),
        (hang, "failure_hook_late"),
        (ignore_its_cancellation, "failure_hook_late"),
    ],
)
def test_a_hook_that_fails_or_hangs_harms_nothing(
    play: Play[Any], caplog: pytest.LogCaptureFixture, hook: Hook, logged: str
) -> None:
    async def story(world: World) -> Any:
        queue = declared(world, lose)
        world.app.on_failure(hook)
        await world.enqueue(queue, 3)
        return (await world.drained(queue)).outcomes

    outcomes = play(story)

    assert outcomes == {"retried": 3, "dead": 3}
    assert sum(record.msg == logged for record in caplog.records) == 6
    assert len(failures(caplog)) == 6


def test_the_end_of_the_function_comes_before_a_slow_hook(play: Play[Any]) -> None:
    async def story(world: World) -> Any:
        queue = declared(world, lose)
        world.app.on_failure(hang)
        await world.enqueue(queue, 1)
        report = await world.drained(queue, budget=HOOK_SECONDS / 2)
        return report.outcomes, report.seconds_left, await world.store.inspect(queue, "j0000")

    outcomes, left, view = play(story)

    assert (outcomes, view.state, view.attempts) == ({"retried": 1}, "delayed", 1)
    assert left >= 0
