"""One set of options: the same names, bounds and sentences in Python, HTTP, command line and
inbox."""

from __future__ import annotations

import inspect
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import App, ConfigurationError, Overrides, Queue, Retry
from shared.cli import enqueue as command
from shared.cli.bulk_input import Line, parse_lines
from shared.declare.inbox import TAKEN, inbox_overrides
from shared.declare.options import BackoffOption, DedupOption, JobOptions
from shared.declare.parse import parse_job
from shared.declare.queue import JobType
from shared.declare.requests import Backoff, Dedup, EnqueueOptions
from shared.drain.run import decode_claim
from shared.errors import InvalidOption, TidegateError
from shared.jobs.job import Job
from shared.testing import FakeClock, embedded_store
from tests.support.values import Number, claim

ROOT = Path(__file__).parents[2]
DAY = 86_400.0
LATEST = datetime.now(UTC) + timedelta(days=366)
"""The latest `run_at` of an enqueue, or a moment before it."""


def declared(**options: Any) -> JobType[Number]:
    queue = App("app").queue("q", **{"retry": Retry.fixed(attempts=3, wait=5.0), **options})

    @queue.job("t")
    async def handle(payload: Number) -> None: ...

    return handle


@pytest.fixture
def job_type() -> JobType[Number]:
    return declared()


def of_http(queue: Queue, options: Any) -> Job:
    return parse_job(
        queue,
        {"type": "t", "payload": {"n": 0}, "options": options},
        find_queue=lambda _name: queue,
    )


def of_command_line(queue: Queue, options: Any) -> Any:
    return parse_lines([Line(0, '{"n": 0}')], queue, "t", options, lambda _name: queue)


def refusal(enqueue: Callable[[Any], Any], options: dict[str, Any]) -> str:
    with pytest.raises(InvalidOption) as refused:
        enqueue(options)
    return str(refused.value)


NAMES = set(JobOptions.__annotations__)
NOTHING: dict[str, Any] = dict.fromkeys(sorted(NAMES))


def test_every_face_has_the_same_options() -> None:
    typer = set(inspect.signature(command.enqueue).parameters)

    assert set(EnqueueOptions.model_fields) == NAMES
    assert typer >= NAMES
    assert set(TAKEN) <= NAMES
    assert set(DedupOption.__annotations__) == set(Dedup.model_fields)
    assert set(BackoffOption.__annotations__) == set(Backoff.model_fields)
    for page in ("python.md", "http.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) >= NAMES, page
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert {name for name in NAMES if f"--{name.replace('_', '-')}`" not in text} == set()


WRONG: list[tuple[dict[str, Any], str]] = [
    # options, the field that is named
    ({"colour": "red"}, "colour"),
    ({"delay": -1}, "delay"),
    ({"delay": "5"}, "delay"),
    ({"delay": True}, "delay"),
    ({"delay": 367 * 86_400}, "delay"),
    ({"run_at": 1_900_000_000}, "run_at"),
    ({"run_at": "2030-01-01T00:00:00"}, "run_at"),
    ({"run_at": "tomorrow"}, "run_at"),
    ({"run_at": "1969-12-31T00:00:00Z"}, "run_at"),
    ({"run_at": "2025-01-01T00:00:00Z", "delay": 1}, "run_at"),
    ({"priority": "urgent"}, "priority"),
    ({"attempts": 0}, "attempts"),
    ({"attempts": 4}, "attempts"),
    ({"attempts": 101}, "attempts"),
    ({"attempts": 1.5}, "attempts"),
    ({"backoff": 0}, "backoff"),
    ({"backoff": 0.99}, "backoff"),
    ({"backoff": "fast"}, "backoff"),
    ({"backoff": []}, "backoff"),
    ({"backoff": [5, 0]}, "backoff"),
    ({"backoff": [1, 1, 1]}, "backoff"),
    ({"backoff": {"type": "jazz", "delay": 1}}, "backoff.type"),
    ({"backoff": {"type": "fixed", "delay": 1, "factor": 2}}, "backoff"),
    ({"backoff": {"type": "fixed", "delay": 1, "jitter": 0.5}}, "backoff"),
    ({"backoff": {"type": "exponential", "delay": 60, "cap": 0}}, "backoff"),
    ({"timeout": 0}, "timeout"),
    ({"timeout": 60.001}, "timeout"),
    ({"timeout": 100_000}, "timeout"),
    ({"dedup": ""}, "dedup"),
    ({"dedup": "a b"}, "dedup"),
    ({"dedup": 7}, "dedup"),
    ({"dedup": {"mode": "throttle"}}, "dedup.mode"),
    ({"dedup": {"mode": "window"}}, "dedup.ttl"),
    ({"dedup": {"ttl": 5, "mode": "until_done"}}, "dedup.ttl"),
    ({"dedup": {"name": "x"}}, "dedup.name"),
    ({"dedup": "x", "dedup_ttl": 0}, "dedup_ttl"),
    ({"dedup": "x", "dedup_ttl": 1e300}, "dedup_ttl"),
    ({"dedup": {"ttl": 5}, "dedup_ttl": 5}, "dedup_ttl"),
    ({"key": ""}, "key"),
    ({"key": "-"}, "key"),
    ({"key": "a\u00a0b"}, "key"),
    ({"key": "x" * 129}, "key"),
    ({"key": "\x00"}, "key"),
    ({"job_id": "a.b"}, "job_id"),
    ({"job_id": "~1"}, "job_id"),
    ({"idempotency_key": ""}, "idempotency_key"),
    ({"idempotency_key": "ü"}, "idempotency_key"),
    *(({"idempotency_key": key}, "idempotency_key") for key in (" ", "a b", " a", "\t", "\x7f")),
    *(({"key": key}, "key") for key in (" ", "\u2003")),
    *(({"dedup": name}, "dedup") for name in (" ", "\u2003", "\0", "-")),
    ({"idempotency_key": "k" * 256}, "idempotency_key"),
]


@pytest.mark.parametrize(("options", "field"), WRONG, ids=str)
def test_a_wrong_option_has_one_sentence_in_python_and_over_http(
    job_type: JobType[Number], options: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidOption) as python:
        job_type.job(Number(), **options)
    with pytest.raises(InvalidOption) as http:
        of_http(job_type.queue, options)

    assert python.value.field == field
    assert http.value.field == f"options.{field}"
    assert str(python.value) == str(http.value)


MISFITS: list[tuple[str, Any, tuple[Any, ...]]] = [
    # an option, a value that fits, and values that do not
    ("delay", 0, ("5", True, [], -1, -0.001, 366 * 86_400 + 1, 1e300, math.nan)),
    ("attempts", 3, (0, -1, 4, 100, 101, 10**5000)),
    ("attempts", 1, ("2", 2.0, True, [1])),
    ("timeout", 60, (0, -1, 60.001, 897, 898, 1e300, math.inf)),
    ("timeout", 0.5, ("5", False, {})),
    ("dedup_ttl", 1, ("5", True, 0, -1, 366 * 86_400 + 1, math.nan)),
    ("priority", "low", ("urgent", "", 1, ["high"])),
    (
        "run_at",
        "2025-01-01T00:00:00Z",
        (5, "tomorrow", "2030-01-01T00:00:00", "1969-12-31T00:00:00Z"),
    ),
    ("key", "k", ("", "a b", 7, "x" * 129, ["k"])),
    ("job_id", "mine", ("", "a.b", 7, "x" * 65, "~1")),
    ("idempotency_key", "k", ("", "é", 7, "k" * 256)),
    ("dedup", "d", ("", "a b", 7, "x" * 129)),
    (
        "callback",
        None,
        ("http://example.com", 5, "https://10.0.0.1/", "https://example.com/" + "x" * 2048),
    ),
    ("backoff", 5, ("fast", True, [])),
    ("then", [], ({}, "t", 7, [None] * 21)),
    ("on_dead", [], ({}, [None] * 21)),
]


@pytest.mark.parametrize(("name", "fits", "wrong"), MISFITS)
def test_every_value_that_does_not_fit_an_option_has_the_same_sentence(
    job_type: JobType[Number], name: str, fits: Any, wrong: tuple[Any, ...]
) -> None:
    job_type.job(Number(), **{name: fits})
    of_http(job_type.queue, {name: fits})

    sentences = {
        refusal(enqueue, {name: value})
        for value in wrong
        for enqueue in (
            lambda options: job_type.job(Number(), **options),
            lambda options: of_http(job_type.queue, options),
            lambda options: of_command_line(job_type.queue, options),
            *([lambda options: inbox_overrides(job_type, options)] if name in TAKEN else []),
        )
    }

    assert len(sentences) == 1, sentences
    assert sentences.pop().startswith(f"{name}: ")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["delay", "timeout", "backoff", "dedup_ttl"])
def test_no_time_is_endless(job_type: JobType[Number], name: str, value: float) -> None:
    option: Any = {name: value}
    with pytest.raises(InvalidOption):
        job_type.job(Number(), **option)


@pytest.mark.parametrize(
    "naive",
    [datetime(2030, 1, 1), 5.0, "2030-01-01T00:00:00"],  # noqa: DTZ001 - it is the point
)
def test_an_instant_has_its_offset(job_type: JobType[Number], naive: Any) -> None:
    with pytest.raises(InvalidOption, match="run_at"):
        job_type.job(Number(), run_at=naive)


@given(
    st.datetimes(datetime(1970, 1, 2), LATEST.replace(tzinfo=None), timezones=st.just(UTC)),  # noqa: DTZ001
    st.floats(0, 366 * 86_400),
)
def test_every_allowed_time_is_whole_milliseconds_below_2_to_the_53(
    at: datetime, delay: float
) -> None:
    job_type = declared()
    timed, delayed = job_type.job(Number(), run_at=at), job_type.job(Number(), delay=delay)

    assert 1 <= timed.run_at_ms < 2**53
    assert abs(timed.run_at_ms - at.timestamp() * 1000) <= 1
    assert timed.run_at_ms == of_http(job_type.queue, {"run_at": at.isoformat()}).run_at_ms
    assert 0 <= delayed.delay_ms < 2**53


@pytest.mark.parametrize("days", [366 + 1 / 24, 367, 2_900_000])
def test_a_run_at_is_no_farther_than_a_delay_may_be(job_type: JobType[Number], days: float) -> None:
    far = datetime.now(UTC) + timedelta(days=days)
    asked: list[dict[str, Any]] = [{"run_at": far}, {"run_at": far, "dedup": "squat"}]
    for options in asked:
        with pytest.raises(InvalidOption, match=r"run_at: .* 366 days ahead"):
            job_type.job(Number(), **options)
    ahead = {"type": "t", "payload": {"n": 0}, "options": {"run_at": far.isoformat()}}
    with pytest.raises(InvalidOption, match=r"then\.0\.options\.run_at: .* 366 days ahead"):
        of_http(job_type.queue, {"then": [ahead]})


async def test_a_test_with_a_fake_clock_has_its_own_present(job_type: JobType[Number]) -> None:
    clock = FakeClock.at(datetime(2090, 1, 1, tzinfo=UTC))
    soon, late = datetime(2090, 12, 31, tzinfo=UTC), datetime(2091, 1, 3, tzinfo=UTC)

    async with embedded_store(clock=clock):
        handle = await job_type.enqueue(Number(), run_at=soon)
        assert handle.state == "delayed"
        with pytest.raises(InvalidOption, match="366 days ahead"):
            job_type.job(Number(), run_at=late)

    with pytest.raises(InvalidOption, match="366 days ahead"):
        job_type.job(Number(), run_at=soon)


@pytest.mark.parametrize(
    "options", [{"dedup": {"id": "a", "ttl": 31 * DAY + 1}}, {"dedup_ttl": 31_622_400.0}]
)
def test_a_name_is_held_for_a_month_at_most_unless_the_queue_says_otherwise(
    options: dict[str, Any],
) -> None:
    usual, wide = declared(), declared(overrides=Overrides(dedup_ttl=366 * DAY))
    narrow = declared(overrides=Overrides(dedup_ttl=3600))

    for job_type in (usual, narrow):
        with pytest.raises(InvalidOption, match=r"at most \d+ s, by Overrides") as no:
            job_type.job(Number(), **options)
        assert no.value.field == "dedup.ttl"
        with pytest.raises(InvalidOption, match="at most"):
            of_http(job_type.queue, options)
    assert wide.job(Number(), **options).dedup is not None
    bound = usual.job(Number(), dedup_ttl=31 * DAY).dedup
    assert bound is not None
    assert bound.ttl_ms == 31 * 86_400_000
    narrow.job(Number(), dedup_ttl=3600)
    with pytest.raises(InvalidOption, match="at most 3600 s"):
        narrow.job(Number(), dedup_ttl=3600.1)


SAME: list[dict[str, Any]] = [
    {},
    {"delay": 30, "priority": "high", "key": "user-1", "job_id": "mine"},
    {"attempts": 3, "backoff": [1, 5], "timeout": 7.5},
    {"backoff": 2},
    {"backoff": {"type": "exponential", "delay": 2, "factor": 3, "cap": 60}},
    {"dedup": "daily"},
    {"dedup": {"id": "daily"}},
    {"dedup": "daily", "dedup_ttl": 60},
    {"dedup": {"id": "daily", "ttl": 60}},
    {"dedup": {"ttl": 60}},
    {"dedup_ttl": 60},
    {"dedup": {}},
    {"idempotency_key": "k"},
    {"idempotency_key": "k", "delay": 5},
    {"idempotency_key": "k", "dedup": {"id": "daily", "ttl": 60}},
    {"idempotency_key": "k", "dedup": {}},
    {"idempotency_key": "k", "backoff": {"type": "fixed", "delay": 2}},
    {"idempotency_key": "k", "backoff": [2, 5]},
    NOTHING,
]


@pytest.mark.parametrize("options", SAME, ids=str)
def test_an_option_means_the_same_in_python_and_over_http(
    job_type: JobType[Number], options: dict[str, Any]
) -> None:
    python, http = job_type.job(Number(), **options), of_http(job_type.queue, options)

    own = {"created_ms"} if options.get("job_id") else {"created_ms", "id"}  # no options
    names = [name for name in Job.__slots__ if name not in own]
    assert {n: getattr(python, n) for n in names} == {n: getattr(http, n) for n in names}
    assert (python.created_ms > 0) == (http.created_ms > 0)


def test_a_ttl_without_a_name_is_that_of_equal_payloads(job_type: JobType[Number]) -> None:
    one, same, other = (job_type.job(Number(n=n), dedup_ttl=60).dedup for n in (1, 1, 2))

    assert one is not None
    assert one.ttl_ms == 60_000
    assert one == same != other


def test_a_queue_may_allow_more_than_its_own_numbers() -> None:
    wide = declared(overrides=Overrides(attempts=50, timeout=300, backoff=0))

    job = wide.job(Number(), attempts=50, timeout=300, backoff=0)

    assert job.overrides["attempts"] == 50
    assert job.overrides["timeout"] == 300
    wrongs: list[dict[str, Any]] = [{"attempts": 51}, {"timeout": 301}]
    for wrong in wrongs:
        with pytest.raises(InvalidOption, match=r"may have .*(1 to 50|at most 300 s)$"):
            wide.job(Number(), **wrong)


def test_a_queue_may_allow_less_than_its_own_numbers() -> None:
    narrow = declared(overrides=Overrides(attempts=1, timeout=1, backoff=60))

    wrongs: list[dict[str, Any]] = [{"attempts": 2}, {"timeout": 2}, {"backoff": 59}]
    for wrong in wrongs:
        with pytest.raises(InvalidOption, match="may have"):
            narrow.job(Number(), **wrong)


def test_the_least_backoff_is_a_second_or_the_queues_own() -> None:
    quick = declared(retry=Retry.fixed(attempts=3, wait=0.2))

    quick.job(Number(), backoff=0.2)
    with pytest.raises(InvalidOption, match=r"a wait of 0\.1 s; .* may have 0\.2 to "):
        quick.job(Number(), backoff=0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"attempts": 0}, {"attempts": 101}, {"timeout": 0}, {"timeout": 898}, {"backoff": -1}),
        *({"dedup_ttl": 0}, {"dedup_ttl": -1}, {"dedup_ttl": 31_622_401}, {"dedup_ttl": math.nan}),
    ],
)
def test_overrides_that_can_not_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="choose"):
        Overrides(**wrong)


def test_the_inbox_takes_the_numbers_of_its_jobs(job_type: JobType[Number]) -> None:
    run = decode_claim(of_inbox({"attempts": 2, "backoff": 7, "timeout": 9}), job_type.queue)

    assert run.error is None
    assert (run.retry.attempts, run.retry.first, run.timeout) == (2, 7.0, 9.0)


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        ({"options": {"attempts": 4}}, "may have 1 to 3"),
        ({"options": {"priority": "urgent"}}, "priority: the inbox takes"),
        ({"options": {"priority": "high"}}, "priority: the inbox takes attempts, backoff, timeout"),
        ({"options": {"colour": "red"}}, "colour: unknown; choose from delay, run_at"),
        ({"options": [1]}, "options: a JSON object"),
        ({"delay": 5}, "it has 'delay' beside"),
        ({"payload": "x" * 300_000}, "bytes; queue 'q' takes 262144"),
    ],
)
def test_an_inbox_record_with_what_it_can_not_have_is_refused_by_name(
    job_type: JobType[Number], record: dict[str, Any], sentence: str
) -> None:
    run = decode_claim(of_inbox(**record), job_type.queue)

    assert sentence in str(run.error)


def of_inbox(options: Any = None, **members: Any) -> Any:
    record = {"type": "t", "payload": {"n": 0}, "options": options, **members}
    return claim(body=json.dumps(record), foreign=True)


async def test_a_job_of_another_queue_is_refused_before_anything_is_sent() -> None:
    app = App("two")

    async def handle(payload: Number) -> None: ...

    one, two = (app.queue(name).job("t")(handle) for name in ("one", "two"))

    with pytest.raises(TidegateError, match="a job 't' of queue 'one' can't go on queue 'two'"):
        await two.enqueue_many([two.job(Number()), one.job(Number())])
    with pytest.raises(TidegateError, match=r"takes jobs made by job\(payload\), not Number"):
        await two.enqueue_many([Number()])  # type: ignore[list-item] # it is the point


def test_a_delay_may_be_as_long_as_a_year(job_type: JobType[Number]) -> None:
    year = timedelta(days=366).total_seconds()

    assert job_type.job(Number(), delay=year).delay_ms == year * 1000
