"""One claimed job run to its outcome: what a record means, what a handler gives back."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import pytest
from pydantic import BaseModel

from shared import App, JobContext, Queue, Retry
from shared.drain.budget import Budget
from shared.drain.execute import LARGEST_RESULT, execute, outcome_of_cancelled
from shared.drain.run import Run, decode_claim
from shared.drain.timeouts import Timeouts
from shared.jobs.claim import Claim
from shared.jobs.job import Job
from shared.jobs.outcome import Outcome
from shared.testing import FakeClock

BASE = Retry(attempts=4, first=1, factor=3, cap=90, jitter=0.25)
who: ContextVar[str] = ContextVar("who", default="nobody")


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


def claim(body: str | bytes, **options: Any) -> Claim:
    fields = {"lease": "a 1 o 1 0", "id": "a", "fence": 1, "queue": "q", "attempts": 0}
    return Claim(**{**fields, "crashes": 0, "solo": False, "body": body, "tail": "", **options})


def work(queue: Queue, payload: str = "{}", **options: Any) -> Run:
    return decode_claim(claim(Job("t", payload).body(), **options), queue)


async def run(work: Run, threads: Executor, clock: FakeClock) -> Outcome:
    return await execute(work, Budget.of(60, clock=clock), threads, Timeouts())


async def test_a_sync_handler_runs_in_a_thread_of_ours_and_in_its_callers_context(
    queue: Queue, threads: Executor, clock: FakeClock
) -> None:
    @queue.job("t")
    def handle(payload: Payload) -> list[str]:
        return [who.get(), threading.current_thread().type.partition("_")[0]]

    who.set("the caller")
    outcome = await run(work(queue), threads, clock)

    assert outcome == Outcome("done", detail={"result": ["the caller", "ours"]})


@pytest.mark.parametrize(
    ("result", "detail"),
    [
        (lambda: None, {}),
        (lambda: 0, {"result": 0}),
        (lambda: {"x": float("nan")}, {"result": {"x": "NaN"}}),
        (lambda: "x" * (LARGEST_RESULT - 2), {"result": "x" * (LARGEST_RESULT - 2)}),
        (
            lambda: "x" * (LARGEST_RESULT - 1),
            {"result_error": "the result has 65537 bytes; 65536 are kept"},
        ),
        (object, {"result_error": "the result is not JSON: PydanticSerializationError"}),
    ],
    ids=["none", "zero", "nan", "largest", "too-large", "no-json"],
)
async def test_a_result_is_kept_or_it_is_said_why_not(
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


async def test_a_payload_that_does_not_fit_is_dead_with_every_field_that_is_wrong(
    queue: Queue, threads: Executor, clock: FakeClock
) -> None:
    @queue.job("t")
    async def handle(payload: Payload) -> None: ...

    wrong = await run(work(queue, '{"n": "x", "names": [1, "a", 2]}'), threads, clock)
    none = await run(work(queue, "[]"), threads, clock)

    integer = "n: Input should be a valid integer, unable to parse string as an integer"
    text = "Input should be a valid string"
    assert wrong.kind == none.kind == "dead"
    assert wrong.detail["error"]["message"] == (
        f"the payload does not fit Payload: {integer}; names.0: {text}; names.2: {text}"
    )
    assert none.detail["error"]["message"].startswith("the payload does not fit Payload: payload: ")


async def test_what_has_no_handler_here_is_parked_and_what_makes_no_sense_is_dead(
    queue: Queue, threads: Executor, clock: FakeClock
) -> None:
    parked = await run(work(queue), threads, clock)
    dead = await run(decode_claim(claim("nonsense"), queue), threads, clock)

    assert parked == Outcome("park", 900, {"parked": "no handler for type 't' on queue 'q'"})
    assert dead.kind == "dead"
    assert dead.detail["error"] == {
        "type": "InvalidRecord",
        "message": "the record can't be read: Expecting value: line 1 column 1 (char 0)",
    }


async def test_of_many_wrong_fields_five_are_named(
    queue: Queue, threads: Executor, clock: FakeClock
) -> None:
    @queue.job("t")
    async def handle(payload: Payload) -> None: ...

    wrong = await run(work(queue, '{"names": [1, 2, 3, 4, 5, 6]}'), threads, clock)

    assert wrong.detail["error"]["message"].count("names.") == 5


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

    assert work(queue, '{"n":\n1}').payload == '{"n":\n1}'


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("no json", "it is not JSON (expected ident at line 1 column 2)"),
        ('{"type": "t", "payload": NaN}', "it is not JSON (expected value at line 1 column 26)"),
        ('{"payload": 1}', 'it needs "type" (a text) and "payload"'),
        ('{"type": 1, "payload": 1}', 'it needs "type" (a text) and "payload"'),
        ('{"type": "t"}', 'it needs "type" (a text) and "payload"'),
        ("[]", 'it needs "type" (a text) and "payload"'),
    ],
)
def test_a_foreign_record_that_can_not_be_read_says_why(
    queue: Queue, body: str, problem: str
) -> None:
    found = decode_claim(claim(body, foreign=True), queue)

    assert found.decode_error == f"the record can't be read: {problem}"
    assert (found.job_type, found.timeout, found.retry) == (None, 7, BASE)
    assert (found.claim.body, found.type, found.payload) == (body, "", "")


def test_a_foreign_record_has_the_queues_numbers_and_a_body_of_bytes_no_meaning(
    queue: Queue,
) -> None:
    foreign = decode_claim(claim('{"type": "t", "payload": {"n": 1}}', foreign=True), queue)
    bytes_ = decode_claim(claim(b"\xff"), queue)

    assert (foreign.type, foreign.payload, foreign.decode_error) == ("t", '{"n":1}', "")
    assert (foreign.timeout, foreign.retry) == (7, BASE)
    assert bytes_.decode_error == "the record can't be read: it is not UTF-8"


@pytest.mark.parametrize(
    ("meta", "retry"),
    [
        ({}, BASE),
        ({"attempts": 9}, Retry(attempts=9, first=1, factor=3, cap=90, jitter=0.25)),
        ({"backoff": [1, 5]}, Retry.waits([1, 5])),
        ({"backoff": [1, 5], "attempts": 2}, Retry(2, cap=5, steps=(1.0, 5.0))),
        (
            {"backoff": {"type": "fixed", "delay": 3}},
            Retry(attempts=4, first=3, factor=1, cap=3600, jitter=0),
        ),
        (
            {"backoff": {"type": "exponential", "delay": 3}},
            Retry(attempts=4, first=3, factor=2, cap=3600, jitter=0),
        ),
        (
            {"backoff": {"delay": 3, "factor": 5, "cap": 60, "jitter": 0.5}, "attempts": 7},
            Retry(attempts=7, first=3, factor=5, cap=60, jitter=0.5),
        ),
    ],
)
def test_a_job_may_have_attempts_and_waits_of_its_own(
    queue: Queue, meta: dict[str, Any], retry: Retry
) -> None:
    found = decode_claim(claim(Job("t", "{}", overrides=meta).body()), queue)

    assert (found.decode_error, found.retry) == ("", retry)


def test_a_jobs_own_timeout_goes_before_its_types_and_that_before_the_queues(queue: Queue) -> None:
    @queue.job("t", timeout=5)
    async def handle(payload: Payload) -> None: ...

    own = decode_claim(claim(Job("t", "{}", overrides={"timeout": 3}).body()), queue)
    unknown = decode_claim(claim(Job("u", "{}").body()), queue)

    assert (own.timeout, work(queue).timeout, unknown.timeout) == (3, 5, 7)


@pytest.mark.parametrize(
    ("reason", "allowed", "kind"),
    [
        ("cancel", 7.0, "cancelled"),
        ("deadline", 7.0, "release"),
        ("timeout", 6.9, "release"),
        ("timeout", 7.0, "retry"),
    ],
)
def test_a_job_that_we_stopped_pays_an_attempt_only_for_its_own_timeout(
    queue: Queue, reason: str, allowed: float, kind: str
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


async def test_a_handler_is_told_what_its_timeout_or_the_window_leaves(
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
