"""Errors as RFC 9457 documents. PROBLEM_TYPES maps exceptions to problem types. Any other exception
is an internal error: logged in full, answered without details."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ..errors import (
    ArchiveError,
    ConfigurationError,
    Forbidden,
    IdempotencyMismatch,
    InvalidOption,
    InvalidPayload,
    InvalidRequest,
    JobNotFound,
    KeyLimited,
    MissingSecret,
    NameTaken,
    NoArchive,
    NotStored,
    PayloadTooLarge,
    QueueFull,
    QuotaExceeded,
    Refused,
    StoreError,
    Throttled,
    TidegateError,
    TokenLimited,
    TooLarge,
    Unauthenticated,
    UnknownOutcome,
    UnknownQueue,
    UnknownSchedule,
    UnknownToken,
    UnknownType,
    Unreachable,
)
from ..jobs.redact import redacted_start

log = logging.getLogger("tidegate.web")

MEDIA_TYPE = "application/problem+json"
SAFE_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
LONGEST_DETAIL = 500


class ProblemType(NamedTuple):
    """A type of problem. `detail` replaces the text of exceptions that is not for callers;
    `retry_after` (seconds) applies where the store named no time."""

    slug: str
    status: int
    title: str
    detail: str | None = None
    retry_after: float | None = None


# What callers read is text of its own: those of exceptions name inner addresses, and docstrings are
# gone under `python -OO`.
_UNKNOWN_OUTCOME = (
    "The store's reply was lost; the request may have run. Repeat it: with the same "
    "Idempotency-Key or job_id it happens once."
)
_THROTTLED = "The store is throttling."
_QUOTA = "The store's plan is used up."
_UNREACHABLE = "The store can't be reached; the request was not sent."
_ARCHIVE_FAILED = "The archive's database did not perform the request."
_TOO_LARGE = "The request or the reply is over the store's size limit."
_MISCONFIGURED = "This deployment can't work as it is configured; its log says what to set."
PROBLEM_TYPES: Mapping[type[TidegateError], ProblemType] = {
    UnknownQueue: ProblemType("unknown-queue", 404, "Unknown queue"),
    UnknownSchedule: ProblemType("unknown-schedule", 404, "Unknown schedule"),
    UnknownToken: ProblemType("unknown-token", 404, "Unknown token"),
    JobNotFound: ProblemType("job-not-found", 404, "No such job"),
    UnknownType: ProblemType("unknown-type", 422, "Unknown job type"),
    InvalidRequest: ProblemType("invalid-request", 422, "The request does not fit"),
    InvalidPayload: ProblemType("invalid-payload", 422, "The payload does not fit its job type"),
    InvalidOption: ProblemType("invalid-option", 422, "An option does not fit"),
    PayloadTooLarge: ProblemType("payload-too-large", 413, "Payload too large"),
    QueueFull: ProblemType("queue-full", 507, "The queue is full", retry_after=60),
    NameTaken: ProblemType("name-taken", 409, "Deduplication name taken"),
    KeyLimited: ProblemType("key-limited", 429, "The key of this job is limited"),
    TokenLimited: ProblemType("token-limited", 429, "The token has used up what it may use"),
    IdempotencyMismatch: ProblemType("idempotency-mismatch", 422, "Idempotency key used before"),
    Unauthenticated: ProblemType("unauthenticated", 401, "Unauthenticated"),
    Forbidden: ProblemType("forbidden", 403, "Forbidden"),
    NoArchive: ProblemType("no-archive", 404, "No archive"),
    MissingSecret: ProblemType("misconfigured", 503, "Misconfigured"),
    ConfigurationError: ProblemType("misconfigured", 503, "Misconfigured", _MISCONFIGURED),
    Refused: ProblemType("misconfigured", 503, "Misconfigured", _MISCONFIGURED),
    Throttled: ProblemType("store-throttled", 429, "Too many requests", _THROTTLED, 1),
    QuotaExceeded: ProblemType("store-quota", 503, "Quota used up", _QUOTA, 300),
    Unreachable: ProblemType("store-unreachable", 503, "Store unreachable", _UNREACHABLE, 5),
    UnknownOutcome: ProblemType(
        "store-unknown-outcome", 503, "Unknown outcome", _UNKNOWN_OUTCOME, 1
    ),
    ArchiveError: ProblemType(
        "archive-unreachable", 503, "The archive did not answer", _ARCHIVE_FAILED, 5
    ),
    TooLarge: ProblemType("payload-too-large", 413, "Too large for the store", _TOO_LARGE),
}
_TIMED = (StoreError, NotStored, TokenLimited)
"""They may tell when to come again."""
UNEXPECTED = ProblemType(
    "internal", 500, "Internal error", "Something failed here; it has been logged."
)
_HTTP = {
    404: ProblemType("not-found", 404, "Not found", "There is nothing at this path."),
    405: ProblemType("method-not-allowed", 405, "Method not allowed", "See the Allow header."),
}


class Problem(Exception):
    """A problem of HTTP itself: no code below the web raises it."""

    def __init__(
        self,
        problem_type: ProblemType,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.type, self.detail = problem_type, detail
        self.headers, self.members = headers or {}, members


def problem_of(error: Exception) -> tuple[dict[str, Any], dict[str, str]]:
    """(document, headers) of an exception. Logs those that are no fault of the caller."""
    log_failures([error])
    return _described(error)


def log_failures(errors: Sequence[Exception]) -> None:
    """Log those that are no fault of the caller: one line for all of one problem type, with their
    number if there are several."""
    failures: dict[str, list[Exception]] = {}
    for error in errors:
        if isinstance(error, Problem | HTTPException):
            continue
        if _type_of(error).status >= 500:
            failures.setdefault(_type_of(error).slug, []).append(error)
    for slug, (error, *others) in failures.items():
        log.error("request_failed", exc_info=error if slug == UNEXPECTED.slug else None, extra={
            "problem": slug, "error": redacted_start(str(error), LONGEST_DETAIL),
            **({"count": 1 + len(others)} if others else {}),
        })  # fmt: skip


def _described(error: Exception) -> tuple[dict[str, Any], dict[str, str]]:
    if isinstance(error, Problem):
        return _document(error.type, error.detail, error.members), dict(error.headers)
    if isinstance(error, HTTPException):
        problem_type = _HTTP.get(
            error.status_code, ProblemType("http", error.status_code, "HTTP error")
        )
        return _document(problem_type, error.detail, {}), dict(error.headers or {})
    wait = _retry_after(error)
    headers = {} if wait is None else {"Retry-After": str(max(1, math.ceil(wait)))}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="tidegate"'
    return _document(_type_of(error), str(error), _members(error)), headers


def problem_entry(error: Exception) -> dict[str, Any]:
    """The document of one job of many. It has no headers, so `retry_after` is a member (seconds),
    where waiting helps. Nothing is logged: `log_failures` does that for all together."""
    document, _ = _described(error)
    wait = _retry_after(error)
    return document if wait is None else {**document, "retry_after": wait}


def problem_response(error: Exception) -> Response:
    """The response to a request that ended with this exception."""
    document, headers = problem_of(error)
    return Response(
        to_json(document, inf_nan_mode="null"),
        status_code=document["status"],
        headers={**SAFE_HEADERS, **headers},
        media_type=MEDIA_TYPE,
    )


def _type_of(error: Exception) -> ProblemType:
    return next((PROBLEM_TYPES[c] for c in type(error).__mro__ if c in PROBLEM_TYPES), UNEXPECTED)


def _retry_after(error: Exception) -> float | None:
    """Seconds after which the request may succeed; None where waiting does not help."""
    requested = error.retry_after if isinstance(error, _TIMED) else None
    return _type_of(error).retry_after if requested is None else requested


def _members(error: Exception) -> dict[str, Any]:
    if isinstance(error, InvalidOption):  # other messages hold nothing of the input
        texts = [redacted_start(one["message"], LONGEST_DETAIL) for one in error.fields]
        pairs = zip(error.fields, texts, strict=True)
        return {"errors": [{"field": one["field"], "message": text} for one, text in pairs]}
    if isinstance(error, InvalidPayload | InvalidRequest):
        return {"errors": error.fields} if error.fields or isinstance(error, InvalidPayload) else {}
    return {}


def _document(problem_type: ProblemType, detail: str, members: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": f"/problems/{problem_type.slug}",
        "title": problem_type.title,
        "status": problem_type.status,
        "detail": redacted_start(problem_type.detail or detail, LONGEST_DETAIL),
        **members,
    }
