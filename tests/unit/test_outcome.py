"""outcome_of: every signal and exception, in one table; and errors as safe data."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import Cancel, Discard, Retry, RetryLater, Snooze
from shared.drain.describe import describe
from shared.drain.outcome import outcome_of, retry_after
from shared.errors import InvalidPayload
from shared.jobs.history import TEXT_KEPT, sanitize

RETRY = Retry.fixed(attempts=3, wait=10)
DATES = [
    "Wed, 21 Oct 2026 07:28:00 GMT",
    "Wed, 21 Oct 2099 07:28:00 GMT",
    "Wed, 21 Oct 2026 07:28:00 -0000",
    "Wed, 21 Oct 2026 07:28:00 +9999",
    "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
    "Wed, 31 Feb 2026 25:61:61 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
]


@pytest.mark.parametrize(
    ("error", "attempt", "kind", "delay"),
    [
        (ValueError("x"), 1, "retry", 10),
        (ValueError("x"), 2, "retry", 10),
        (ValueError("x"), 3, "dead", 0),
        (SystemExit(1), 1, "retry", 10),
        (KeyboardInterrupt(), 3, "dead", 0),
        (asyncio.CancelledError(), 1, "retry", 10),
        (BaseExceptionGroup("g", [SystemExit()]), 1, "retry", 10),
        (RetryLater(5), 1, "retry", 5),
        (RetryLater(5), 3, "dead", 0),
        (RetryLater(0), 1, "retry", 0),
        (RetryLater(timedelta(minutes=2)), 1, "retry", 120),
        (Snooze(5), 1, "snooze", 5),
        (Snooze(5), 3, "snooze", 5),
        (Snooze(0), 1, "snooze", 1),
        (ExceptionGroup("g", [ValueError("x"), Discard("no")]), 1, "dead", 0),
        (ExceptionGroup("g", [ExceptionGroup("h", [Cancel("stop")])]), 1, "cancelled", 0),
        (ExceptionGroup("g", [Snooze(9), RetryLater(5)]), 1, "retry", 5),
        (Discard("no"), 1, "dead", 0),
        (InvalidPayload("no"), 1, "dead", 0),
        (Cancel("stop"), 1, "cancelled", 0),
    ],
)
def test_what_each_exception_means(
    error: BaseException, attempt: int, kind: str, delay: float
) -> None:
    outcome = outcome_of(error, attempt=attempt, retry=RETRY)

    assert (outcome.kind, outcome.delay) == (kind, delay)


@pytest.mark.parametrize("signal", [RetryLater, Snooze])
@pytest.mark.parametrize(
    ("seconds", "error"),
    [
        (-5, ValueError),
        (math.inf, ValueError),
        (math.nan, ValueError),
        (1e12, ValueError),
        (10**400, ValueError),
        (timedelta(seconds=-1), ValueError),
        ("30", TypeError),
        (None, TypeError),
        (True, TypeError),
        (Decimal(5), TypeError),
    ],
)
def test_a_signal_checks_its_argument_where_it_is_made(
    signal: Callable[[Any], Exception], seconds: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"RetryLater: seconds|Snooze: seconds"):
        signal(seconds)


@pytest.mark.parametrize(
    "error",
    [ValueError("why"), RetryLater(5, "why"), Discard("why"), InvalidPayload("why"), Cancel("why")],
)
def test_every_outcome_keeps_the_error(error: BaseException) -> None:
    outcome = outcome_of(error, attempt=1, retry=RETRY)

    assert outcome.detail["error"] == {"type": type(error).__name__, "message": "why"}


def test_the_errors_of_a_group_are_kept_and_not_the_groups_own_text() -> None:
    group = ExceptionGroup("unhandled", [ValueError("why"), ExceptionGroup("g", [KeyError("k")])])
    error = outcome_of(group, attempt=1, retry=RETRY).detail["error"]

    assert (error["type"], error["message"]) == ("ValueError", "why")
    assert error["others"] == [{"type": "KeyError", "message": "'k'"}]


def test_the_wait_of_a_retry_has_its_jitter() -> None:
    retry = Retry.fixed(wait=10, jitter=0.5)

    assert outcome_of(ValueError(), attempt=1, retry=retry, rng=lambda: 1.0).delay == 5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 120 ", 120.0),
        ("1.5", 1.5),
        ("0", 0.0),
        ("999999999999", 86_400.0),
        ("9999999999999", 86_400.0),
        ("10000000000000000000", 86_400.0),
        ("9" * 400, 86_400.0),
        ("9" * 5000 + ".5", 86_400.0),
        ("0.0000001", 1e-7),
        ("-3", None),
        ("1e9", None),
        ("\u0663", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2026 07:29:30 GMT", 90.0),
        ("Wednesday, 21-Oct-26 07:29:30 GMT", 90.0),
        ("Wed Oct 21 07:29:30 2026", 90.0),
        ("Wed Oct  7 07:29:30 2026", 0.0),
        ("Wed, 21 Oct 2026 07:29:30 -0000", 90.0),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 86_400.0),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("", None),
    ],
)
def test_the_servers_own_word_on_when_to_come_back_is_honoured(
    header: str, seconds: float | None
) -> None:
    error = refused({"retry-after": header, "date": "Wed, 21 Oct 2026 07:28:00 GMT"})

    assert retry_after(error) == seconds
    assert outcome_of(error, attempt=1, retry=RETRY).delay == max(10, seconds or 0)


@pytest.mark.parametrize("own", [{}, {"date": ""}, {"date": "soon"}, {"date": "1"}])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Wed, 21 Oct 2026 07:29:30 GMT", 90.0),
        ("Wed Oct 21 07:29:30 2026", 90.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 86_400.0),
        ("soon", None),
    ],
)
def test_a_date_without_the_responses_own_date_is_read_against_our_clock(
    own: dict[str, str], header: str, seconds: float | None
) -> None:
    def now() -> float:
        return dt.datetime(2026, 10, 21, 7, 28, tzinfo=dt.UTC).timestamp()

    assert retry_after(refused({"retry-after": header, **own}), now) == seconds


def test_a_servers_word_counts_inside_a_group_too() -> None:
    group = ExceptionGroup("g", [ValueError("x"), refused({"retry-after": "77"})])

    assert outcome_of(group, attempt=1, retry=RETRY).delay == 77


@given(header=st.one_of(st.text(), st.from_regex(r"\A\s*[\d.+-]*\s*\Z"), st.sampled_from(DATES)),
       date=st.one_of(st.none(), st.text(), st.sampled_from(DATES)))  # fmt: skip
def test_any_header_text_is_a_wait_within_bounds(header: str, date: str | None) -> None:
    error = ValueError("x")
    headers = {"retry-after": header} | ({} if date is None else {"date": date})
    error.response = SimpleNamespace(headers=headers)  # type: ignore[attr-defined]
    outcome = outcome_of(error, attempt=1, retry=RETRY)

    assert outcome.kind == "retry"
    assert 10 <= outcome.delay <= 86_400


def refused(headers: dict[str, str]) -> httpx.HTTPStatusError:
    request = httpx.Request("GET", "https://x")
    encoded = {name.encode(): text.encode() for name, text in headers.items()}
    response = httpx.Response(429, headers=encoded, request=request)
    return httpx.HTTPStatusError("slow down", request=request, response=response)


def test_any_clients_response_may_carry_retry_after() -> None:
    error = ValueError("x")
    error.response = SimpleNamespace(headers={"retry-after": "7"})  # type: ignore[attr-defined]

    assert retry_after(error) == 7


@pytest.mark.parametrize(
    "response", [None, object(), SimpleNamespace(headers=None), SimpleNamespace(headers=1)]
)
def test_an_error_whose_response_is_odd_has_no_retry_after(response: Any) -> None:
    error = ValueError("x")
    error.response = response  # type: ignore[attr-defined]

    assert retry_after(error) is None


class BrokenError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("even this fails")


class Hostile(Exception):
    def __str__(self) -> str:
        raise SystemExit(1)


def test_an_error_is_described_with_its_place() -> None:
    try:
        raise ValueError("bad \x1b[31mred\x00 \ud800 text")
    except ValueError as error:
        described = describe([error])

    assert described["type"] == "ValueError"
    assert "\x1b" not in described["message"]
    assert "\x00" not in described["message"]
    assert described["message"].encode()
    assert described["where"].startswith("tests/unit/test_outcome.py:")
    assert described["where"].endswith(" in test_an_error_is_described_with_its_place")


def test_an_error_of_code_that_has_no_file_is_described_too() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        eval(compile("1 / 0", "<typed>", "eval"))  # noqa: S307 - what a console does

    assert describe([caught.value])["where"] == "<typed>:1 in <module>"


@pytest.mark.parametrize(
    ("error", "failure"), [(BrokenError(), "RuntimeError"), (Hostile(), "SystemExit")]
)
def test_an_error_that_can_not_even_say_its_name_is_still_described(
    error: Exception, failure: str
) -> None:
    message = f"<{type(error).__name__} whose text fails with {failure}>"

    assert describe([error]) == {"type": type(error).__name__, "message": message}


def test_what_can_not_be_printed_is_replaced_character_by_character() -> None:
    assert sanitize("a\x00b\x1b\ud800\n\tc") == "a\ufffdb\ufffd?\n\tc"


@given(
    st.lists(st.one_of(st.integers(0, 0x2FF), st.integers(0xD7F0, 0xE010)).map(chr), max_size=300),
    st.integers(1, 20),
)
def test_clean_text_is_short_valid_and_printable(letters: list[str], times: int) -> None:
    cleaned = sanitize("".join(letters) * times)

    assert len(cleaned) <= TEXT_KEPT
    assert cleaned.encode().decode() == cleaned
    assert all(c.isprintable() or c in "\n\t" for c in cleaned)
    assert sanitize(cleaned) == cleaned
