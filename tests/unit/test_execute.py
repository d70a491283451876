"""One claimed job run to its outcome: what a record means, what a handler gives back."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from shared import App, JobContext, Queue, Retry
from shared.drain.budget import Budget
from shared.drain.execute import LARGEST_RESULT, execute, outcome_of_cancelled
from shared.drain.run import CancelReason, Run, decode_claim
from shared.drain.timeouts import Timeouts
from shared.jobs.job import Job
from shared.jobs.outcome import Outcome
from shared.testing import FakeClock
from tests.support.values import claim

BASE = Retry(attempts=4, first=1, factor=3, cap=90, jitter=0.25)
caller: ContextVar[str] = ContextVar("caller", default="none")


class Payload(BaseModel):
    n: int = 0
    names: list[str] = []


@pytest.fixture
def queue() -> Queue:
    return App("app").queue("q", timeout=7, retry=BASE)


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(1, thread_name_prefix="ours") as made:
        yield made


def work(queue: Queue, payload: str = "{}", **options: Any) -> Run:
    return decode_claim(claim(body=Job("t", payload).body(), **options), queue)


async def run(work: Run, threads: Executor, clock: FakeClock) -> Outcome:
    return await execute(work, Budget.of(60, clock=clock), threads, Timeouts())


async def test_a_sync_handler_runs_in_a_thread_of_ours_and_in_its_callers_context(
    queue: Queue, threads: Executor, clock: FakeClock
) -> None:
    @queue.job("t")
    def handle(payload: Payload) -> list[str]:
        return [caller.get(), threading.current_thread().name.partition("_")[0]]

    caller.set("the caller")
    outcome = await run(work(queue), threads, clock)

    assert outcome == Outcome("done", detail={"result": ["the caller", "ours"]})


@pytest.mark.parametrize(
    ("result", "detail"),
    [
        (lambda: None, {}),
        (lambda: 0, {"result": 0}),
        (lambda: "x" * (LARGEST_RESULT - 2), {"result": "x" * (LARGEST_RESULT - 2)}),
        (
            lambda: "x" * (LARGEST_RESULT - 1),
            {"result_error": "the result has 65537 bytes; 65536 are kept"},
        ),
        (object, {"result_error": "the result is not JSON: it holds a value of type object"}),
        (
            lambda: {"lines": [1, threading.Lock()]},
            {"result_error": "the result is not JSON: it holds a value of type _thread.lock"},
        ),
    ],
    ids=["none", "zero", "largest", "too-large", "no-json", "no-json-inside"],
)
async def test_a_result_is_stored_or_the_reason_why_not_is(
    queue: Queue,
    threads: Executor,
    clock: FakeClock,
    result: Callable[[], Any],
    detail: dict[str, Any],
) -> None:
    @queue.job("t")
    async def handle(payload: Payload) -> Any:
        return result()

    assert await run(work(queue), threads, clock) == Outcome("done", detail=detail)


@dataclass
class Point:
    """A result that pydantic writes."""

    x: Any


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        *((value, "NaN or infinity") for value in (math.nan, math.inf, {"x": -math.inf})),
        *((value, "NaN or infinity") for value in ([[math.inf]], Point(math.nan), nested(220))),
        *((value, "become one") for value in ({1: "a", "1": "b"}, {2.5: 0, "2.5": 1})),
        *((value, "become one") for value in ([{True: 1, "true": 2}], Point({None: 1, "None": 2}))),
        (nested(3000), "PydanticSerializationError"),
        (Point("a\ud83d"), "PydanticSerializationError"),
    ],
)
async def test_a_result_that_json_would_change_is_not_kept_and_says_why(
    queue: Queue, threads: Executor, clock: FakeClock, value: Any, why: str
) -> None:
    @queue.job("t")
    async def handle(payload: Payload) -> Any:
        return value

    outcome = await run(work(queue), threads, clock)

    assert (outcome.kind, set(outcome.detail)) == ("done", {"result_error"})
    assert why in outcome.detail["result_error"]


KEPT: list[Any] = ["NaN", 1e16, 1e-7, -0.0, 10**30, "\x7f\u2028/é\\", [[]]]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({1: "a", 2.5: "b"}, {"1": "a", "2.5": "b"}),
        (Point((1, None)), {"x": [1, None]}),
        *((value, value) for value in KEPT),
    ],
)
async def test_what_json_keeps_is_kept(
    queue: Queue, threads: Executor, clock: FakeClock, value: Any, kept: Any
) -> None:
    @queue.job("t")
    async def handle(payload: Payload) -> Any:
        return value

    assert (await run(work(queue), threads, clock)).detail == {"result": kept}


DAY = 86_400_000


async def test_a_payload_that_does_not_fit_waits_a_day_for_another_version(
    queue: Queue, threads: Executor, clock: FakeClock
) -> None:
    @queue.job("t")
    async def handle(payload: Payload) -> None: ...

    async def misfit(at_ms: int, history: str = "") -> Outcome:
        return await run(work(queue, '{"n": "x"}', at_ms=at_ms, history=history), threads, clock)

    first = await misfit(DAY)
    waits = await misfit(2 * DAY, json.dumps(dict(first.detail)))
    ended = await misfit(2 * DAY + 1, json.dumps({**waits.detail, "cuts": 3}))

    assert (first.kind, first.delay, first.started) == ("park", 900, False)
    assert first.detail["parked"].startswith("the payload does not fit Payload: n: ")
    assert waits == first
    assert (ended.kind, ended.started) == ("dead", False)
    assert ended.detail["error"]["type"] == "InvalidPayload"
    forgotten = {name: ended.detail[name] for name in ("misfit_since", "cuts")}
    assert set(forgotten.values()) == {None}  # after a redrive it begins again


async def test_a_payload_that_no_model_has_taken_is_dead_and_names_every_wrong_field(
    queue: Queue, threads: Executor, clock: FakeClock
) -> None:
    @queue.job("t")
    async def handle(payload: Payload) -> None: ...

    async def died(payload: str) -> str:
        record = f'{{"type": "t", "payload": {payload}}}'
        foreign = decode_claim(claim(body=record, foreign=True), queue)
        outcome = await run(foreign, threads, clock)
        assert outcome.kind == "dead"
        return str(outcome.detail["error"]["message"])

    message = await died('{"n": "x", "names": [1, "a", 2]}')

    assert message.startswith("the payload does not fit Payload: ")
    assert re.findall(r"(?:^|; |: )(n|names\.\d): ", message) == ["n", "names.0", "names.2"]
    assert (await died("[]")).startswith("the payload does not fit Payload: payload: ")
    assert (await died('{"names": [1, 2, 3, 4, 5, 6]}')).count("names.") == 5


async def test_a_type_without_a_handler_is_parked_and_an_unreadable_record_is_dead(
    queue: Queue, threads: Executor, clock: FakeClock
) -> None:
    parked = await run(work(queue), threads, clock)
    dead = await run(decode_claim(claim(body="nonsense"), queue), threads, clock)

    reason = {"parked": "no handler for type 't' on queue 'q'"}
    assert parked == Outcome("park", 900, reason, started=False)
    assert dead.kind == "dead"
    assert dead.detail["error"]["type"] == "InvalidRecord"
    assert dead.detail["error"]["message"].startswith("the record can't be read: ")


@pytest.mark.parametrize(("attempts", "kind"), [(0, "retry"), (2, "retry"), (3, "dead")])
async def test_the_attempts_of_a_jobs_type_are_counted_from_one(
    queue: Queue, threads: Executor, clock: FakeClock, attempts: int, kind: str
) -> None:
    @queue.job("t", retry=Retry.fixed(attempts=4, wait=8))
    async def handle(payload: Payload) -> None:
        raise ValueError

    outcome = await run(work(queue, attempts=attempts), threads, clock)

    assert (outcome.kind, outcome.delay) == (kind, 8 if kind == "retry" else 0)


def test_a_payload_may_have_lines() -> None:
    queue = App("app").queue("q")

    assert work(queue, '{"n":\n1}').body.payload == '{"n":\n1}'


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("no json", "it is not JSON"),
        ('{"type": "t", "payload": NaN}', "it is not JSON"),
        ('{"payload": 1}', "needs"),
        ('{"type": 1, "payload": 1}', "needs"),
        ('{"type": "t"}', "needs"),
        ("[]", "needs"),
    ],
)
def test_an_unreadable_foreign_record_says_why_and_has_the_queues_numbers(
    queue: Queue, body: str, problem: str
) -> None:
    unreadable = decode_claim(claim(body=body, foreign=True), queue)

    assert problem in str(unreadable.error)
    assert (unreadable.job_type, unreadable.timeout, unreadable.retry) == (None, 7, BASE)


def test_a_foreign_record_has_the_queues_numbers(queue: Queue) -> None:
    foreign = decode_claim(claim(body='{"type": "t", "payload": {"n": 1}}', foreign=True), queue)

    assert (foreign.body.type, foreign.body.payload, foreign.error) == ("t", '{"n":1}', None)
    assert (foreign.timeout, foreign.retry) == (7, BASE)


def test_a_body_that_is_not_utf_8_is_unreadable(queue: Queue) -> None:
    assert "UTF-8" in str(decode_claim(claim(body=b"\xff"), queue).error)


@pytest.mark.parametrize(
    ("overrides", "retry"),
    [
        ({}, BASE),
        ({"attempts": 9}, Retry(attempts=9, first=1, factor=3, cap=90, jitter=0.25)),
        ({"backoff": Retry.waits([1, 5]).backoff()}, Retry.waits([1, 5])),
        (
            {"backoff": Retry.waits([1, 5]).backoff(), "attempts": 2},
            Retry(2, cap=3600, steps=(1.0,)),
        ),
        (
            {"backoff": Retry.fixed(wait=3).backoff()},
            Retry.fixed(attempts=4, wait=3),
        ),
        (
            {"backoff": Retry(first=3, factor=5, cap=60, jitter=0.5).backoff(), "attempts": 7},
            Retry(attempts=7, first=3, factor=5, cap=60, jitter=0.5),
        ),
    ],
)
def test_a_job_may_have_attempts_and_waits_of_its_own(
    queue: Queue, overrides: dict[str, Any], retry: Retry
) -> None:
    own = decode_claim(claim(body=Job("t", "{}", overrides=overrides).body()), queue)
    delays = [own.retry.delay_after(n, lambda: 0.5) for n in range(1, 7)]

    assert own.error is None
    assert own.retry.attempts == retry.attempts
    assert delays == [retry.delay_after(n, lambda: 0.5) for n in range(1, 7)]


def test_a_jobs_own_timeout_goes_before_its_types_and_that_before_the_queues(queue: Queue) -> None:
    @queue.job("t", timeout=5)
    async def handle(payload: Payload) -> None: ...

    own = decode_claim(claim(body=Job("t", "{}", overrides={"timeout": 3}).body()), queue)
    unknown = decode_claim(claim(body=Job("u", "{}").body()), queue)

    assert (own.timeout, work(queue).timeout, unknown.timeout) == (3, 5, 7)


@pytest.mark.parametrize(
    ("reason", "allowed", "kind"),
    [
        ("operator", 7.0, "cancelled"),
        ("deadline", 7.0, "release"),
        ("timeout", 6.9, "release"),
        ("timeout", 7.0, "retry"),
    ],
)
def test_a_job_that_we_stopped_pays_an_attempt_only_for_its_own_timeout(
    queue: Queue, reason: CancelReason, allowed: float, kind: str
) -> None:
    stopping = work(queue, attempts=2)
    stopping.cancel_reason, stopping.allowed = reason, allowed

    outcome = outcome_of_cancelled(stopping)

    assert outcome.kind == kind
    if kind == "retry":
        assert outcome.detail["error"] == {"type": "TimeoutError", "message": "not done after 7 s"}


def test_the_last_attempt_that_runs_into_its_timeout_is_dead(queue: Queue) -> None:
    stopping = work(queue, attempts=3)
    stopping.cancel_reason, stopping.allowed = "timeout", 7.0

    assert outcome_of_cancelled(stopping).kind == "dead"


async def test_a_handler_sees_the_time_that_its_timeout_or_the_window_leaves(
    queue: Queue, threads: Executor, clock: FakeClock
) -> None:
    @queue.job("t")
    async def handle(payload: Payload, job: JobContext) -> list[float]:
        assert job.type == "t"
        before = job.budget_left()
        clock.advance(5)
        middle = job.budget_left()
        clock.advance(5)
        return [before, middle, job.budget_left()]

    outcome = await run(work(queue), threads, clock)

    assert json.loads(json.dumps(outcome.detail["result"])) == pytest.approx([7, 2, 0])
