"""The meaning of an exception for its job: one pure function, the only place that decides it."""

from __future__ import annotations

import math
import random
import time
import traceback
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

from ..declare.policy import LONGEST_DELAY, Retry
from ..errors import Cancel, Discard, InvalidPayload, RetryLater, Snooze
from ..jobs.history import sanitize
from ..jobs.outcome import Outcome

LONGEST_RETRY_AFTER = 86_400.0
UNKNOWN_TYPE_RECHECK = 900.0
"""Seconds after which a parked job is tried again (a deploy may have brought its handler)."""


def outcome_of(
    error: BaseException, *, attempt: int, retry: Retry, rng: Callable[[], float] = random.random
) -> Outcome:
    """The outcome of attempt number `attempt` (1 is the first) that ended with `error`."""
    detail = {"error": describe(error)}
    match error:
        case Cancel():
            return Outcome("cancelled", detail=detail)
        case Discard() | InvalidPayload():
            return Outcome("dead", detail=detail)
        case Snooze(seconds=seconds):
            return Outcome("snooze", _bounded(seconds))
    if attempt >= retry.attempts:
        return Outcome("dead", detail=detail)
    if isinstance(error, RetryLater):
        return Outcome("retry", _bounded(error.seconds), detail)
    requested = retry_after(error)
    return Outcome(
        "retry", retry.delay_after(attempt, rng) if requested is None else requested, detail
    )


def retry_after(error: BaseException) -> float | None:
    """Seconds that a server asked to wait (RFC 9110 §10.2.3), if the error carries its response."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    text = headers.get("retry-after") if headers is not None and hasattr(headers, "get") else None
    if not isinstance(text, str):
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = _until(text)
    return min(LONGEST_RETRY_AFTER, max(0.0, seconds)) if math.isfinite(seconds) else None


def describe(error: BaseException) -> dict[str, Any]:
    """An error as data: type, message, where it was raised. Safe whatever its `__str__` does."""
    try:
        message = str(error)
    except BaseException as failure:  # noqa: BLE001 - a broken __str__ is the handler's, not a reason to lose the outcome
        message = f"<{type(error).__name__} whose text fails with {type(failure).__name__}>"
    described: dict[str, Any] = {"type": type(error).__name__, "message": sanitize(message)}
    frames = traceback.extract_tb(error.__traceback__)
    if frames:
        described["where"] = sanitize(
            f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno} in {frames[-1].name}"
        )
    return described


def _bounded(seconds: float) -> float:
    return min(LONGEST_DELAY, max(0.0, seconds)) if math.isfinite(seconds) else 0.0


def _until(http_date: str) -> float:
    try:
        return parsedate_to_datetime(http_date).timestamp() - time.time()
    except ValueError:
        return math.nan
