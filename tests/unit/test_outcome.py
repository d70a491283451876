"""outcome_of: every signal and exception, in one table; and errors as safe data."""

from __future__ import annotations

import asyncio
import math
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import Cancel, Discard, Retry, RetryLater, Snooze
from shared.drain.outcome import describe, outcome_of, retry_after
from shared.errors import InvalidPayload
from shared.jobs.history import TEXT_KEPT, sanitize

RETRY = Retry.fixed(attempts=3, wait=10)


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
        (RetryLater(-5), 1, "retry", 0),
        (RetryLater(math.inf), 1, "retry", 0),
        (RetryLater(math.nan), 1, "retry", 0),
        (RetryLater(1e12), 1, "retry", 366 * 86_400),
        (Snooze(5), 1, "snooze", 5),
        (Snooze(5), 3, "snooze", 5),
        (Snooze(math.nan), 1, "snooze", 0),
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


@pytest.mark.parametrize(
    "error",
    [ValueError("why"), RetryLater(5, "why"), Discard("why"), InvalidPayload("why"), Cancel("why")],
)
def test_every_outcome_keeps_the_error(error: BaseException) -> None:
    outcome = outcome_of(error, attempt=1, retry=RETRY)

    assert outcome.detail["error"] == {"type": type(error).__name__, "message": "why"}


def test_the_wait_of_a_retry_has_its_jitter() -> None:
    retry = Retry.fixed(wait=10, jitter=0.5)

    assert outcome_of(ValueError(), attempt=1, retry=retry, rng=lambda: 1.0).delay == 5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("-3", 0.0),
        ("1e9", 86_400.0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 86_400.0),
        ("", None),
    ],
)
def test_the_servers_own_word_on_when_to_come_back_is_honoured(
    header: str, seconds: float | None
) -> None:
    request = httpx.Request("GET", "https://x")
    response = httpx.Response(429, headers={"retry-after": header}, request=request)
    error = httpx.HTTPStatusError("slow down", request=request, response=response)

    assert retry_after(error) == seconds
    waited = outcome_of(error, attempt=1, retry=RETRY).delay
    assert waited == (10 if seconds is None else seconds)


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


class Broken(Exception):
    def __str__(self) -> str:
        raise RuntimeError("even this fails")


class Hostile(Exception):
    def __str__(self) -> str:
        raise SystemExit(1)


def test_an_error_is_described_with_its_place() -> None:
    try:
        raise ValueError("bad \x1b[31mred\x00 \ud800 text")
    except ValueError as error:
        described = describe(error)

    assert described["type"] == "ValueError"
    assert "\x1b" not in described["message"]
    assert "\x00" not in described["message"]
    assert described["message"].encode()
    assert described["where"].startswith("test_outcome.py:")
    assert described["where"].endswith(" in test_an_error_is_described_with_its_place")


def test_an_error_of_code_that_has_no_file_is_described_too() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        eval(compile("1 / 0", "<typed>", "eval"))  # noqa: S307 - what a console does

    assert describe(caught.value)["where"] == "<typed>:1 in <module>"


@pytest.mark.parametrize(
    ("error", "failure"), [(Broken(), "RuntimeError"), (Hostile(), "SystemExit")]
)
def test_an_error_that_can_not_even_say_its_name_is_still_described(
    error: Exception, failure: str
) -> None:
    message = f"<{type(error).__name__} whose text fails with {failure}>"

    assert describe(error) == {"type": type(error).__name__, "message": message}


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
