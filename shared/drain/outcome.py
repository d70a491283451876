"""The meaning of a handler's exception: one pure function."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ..declare.policy import Retry
from ..errors import (
    LONGEST_DELAY,
    LONGEST_RETRY_AFTER,
    Cancel,
    Discard,
    InvalidPayload,
    RetryLater,
    Snooze,
)
from ..jobs.outcome import Outcome
from .describe import describe, is_a, leaves, type_name

BUG_ATTEMPTS, BUG_WAIT = 3, 10.0
"""Of a job whose outcome can't be made: its tries, and the seconds between them."""
SHORTEST_SNOOZE = 1.0
"""Seconds. A snooze of nothing would run the job as fast as the store can hand it out."""

_DELAY_SECONDS = re.compile(r"\s*\d+(\.\d+)?\s*", re.ASCII)
_FATAL = (Discard, InvalidPayload)
_GRAVEST_FIRST = (Cancel, *_FATAL, RetryLater, Snooze)


def outcome_of(
    error: BaseException,
    *,
    attempt: int,
    retry: Retry,
    own: str = "",
    rng: Callable[[], float] = random.random,
) -> Outcome:
    """The outcome of attempt number `attempt` (1 is the first) that ended with `error`. `own`: the
    top-level package of the handler, whose frames are kept with the error.

    Never raises, whatever the error is: a handler, or a server that it called, made it. An
    exception group is looked through: a signal in it counts, else its first error.
    """
    errors = leaves(error)
    detail = {"error": describe(errors, own)}
    signal = _signal(errors)
    if signal is not None and is_a(signal, Cancel):
        return Outcome("cancelled", detail=detail)
    if signal is not None and is_a(signal, Snooze):
        return Outcome("snooze", max(SHORTEST_SNOOZE, _delay(signal) or 0.0))
    if signal is not None and any(is_a(signal, kind) for kind in _FATAL):
        return Outcome("dead", detail=detail)
    if attempt >= retry.attempts:
        return Outcome("dead", detail=detail)
    wait = retry.delay_after(attempt, rng)
    delay = None if signal is None else _delay(signal)
    if delay is not None:
        return Outcome("retry", delay, detail)
    return Outcome("retry", max(wait, *(retry_after(one) or 0.0 for one in errors)), detail)


def outcome_of_bug(bug: BaseException, attempt: int) -> Outcome:
    """The outcome of an attempt whose own one could not be made, by a fault of ours or by a retry
    policy that raises. So it calls neither."""
    message = f"no outcome could be made of attempt {attempt}; the log tells why (job_bug)"
    detail = {"error": {"type": type_name(bug), "message": message}}
    return Outcome("dead" if attempt >= BUG_ATTEMPTS else "retry", BUG_WAIT, detail)


def retry_after(error: BaseException, now: Callable[[], float] = time.time) -> float | None:
    """Seconds that a server asked to wait (RFC 9110 §10.2.3), if the error carries its response.

    A header that can't be read counts as absent. A date is read against the response's own Date,
    without one against `now` (seconds of Unix time).
    """
    try:
        headers = error.response.headers  # type: ignore[attr-defined]
        text = headers.get("retry-after")
        if not isinstance(text, str):
            return None
        number = _DELAY_SECONDS.fullmatch(text)
        seconds = float(text) if number else _until(text, headers.get("date"), now)
    except BaseException:  # noqa: BLE001 - attributes and headers come from outside and may do anything
        return None
    return min(LONGEST_RETRY_AFTER, max(0.0, seconds))


def _until(text: str, date: object, now: Callable[[], float]) -> float:
    """Seconds from the date of a response to an HTTP date. Raises ValueError and others where that
    one can't be read."""
    end = _http_date(text)
    try:
        return (end - _http_date(str(date))).total_seconds()
    except (ValueError, TypeError):  # there is none, or none that can be read
        return (end - datetime.fromtimestamp(now(), UTC)).total_seconds()


def _http_date(text: str) -> datetime:
    """An HTTP date in any of its three forms (RFC 9110 §5.6.7). Of asctime's, which has no zone,
    the RFC says that it is in UTC; so is one of the zone -0000."""
    date = parsedate_to_datetime(text)
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _signal(errors: list[BaseException]) -> BaseException | None:
    for kind in _GRAVEST_FIRST:
        for error in errors:
            if is_a(error, kind):
                return error
    return None


def _delay(signal: BaseException) -> float | None:
    """The signal's seconds. A subclass may have put anything in their place: what is no number
    counts as absent."""
    try:
        seconds = signal.seconds  # type: ignore[attr-defined]
    except BaseException:  # noqa: BLE001 - as in retry_after
        return None
    if type(seconds) not in (int, float) or seconds != seconds:  # noqa: PLR0124 - NaN
        return None
    return float(min(LONGEST_DELAY, max(0.0, seconds)))
