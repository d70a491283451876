"""The tree of errors.

    TidegateError
    ├── ConfigurationError      a declaration or a setting that can't work
    │   ├── MissingSecret       a secret that an operation needs is not set
    │   └── NoArchive           DATABASE_URL names no Postgres
    ├── UnknownQueue            no application declares that queue
    ├── UnknownSchedule         no application declares that schedule
    ├── UnknownType             the queue has no handler for that job type
    ├── InvalidPayload          the payload does not fit its model
    ├── InvalidOption           an option does not fit
    ├── InvalidRequest          a request does not fit its model
    ├── PayloadTooLarge         the job would not fit the store's limits
    ├── JobNotFound             no such job (never existed, or its retention ended)
    ├── NoResult                a job ended without a result
    ├── Crashed                 the functions that ran a job died, each time
    ├── NameTaken               another job holds the job's deduplication name
    ├── NotStored               a job was not stored
    │   ├── QueueFull           the queue holds as many jobs or bytes as it may
    │   ├── KeyLimited          the job's key has used up its rate (if_limited="refuse")
    │   └── IdempotencyMismatch the idempotency key was used with another request
    ├── UnknownToken            no stored token has that id
    ├── Unauthenticated         the request carries no known token
    ├── Forbidden               the token lacks the right, or does not reach the queue
    ├── ChildDied               the child process of an isolated job ended before its handler
    ├── IsolatedError           a handler in a child process failed; for failure hooks
    ├── ArchiveError            the archive's Postgres did not perform the request
    └── StoreError              the store did not perform the request
        ├── Unreachable         the request was not sent; nothing happened
        ├── UnknownOutcome      the request was sent; it may or may not have run
        ├── Refused             wrong token or missing permission
        ├── QuotaExceeded       the plan's requests or capacity are used up
        ├── Throttled           too many requests at the moment
        ├── TooLarge            the request or the reply is over the store's size limit
        ├── NoScript            the store does not hold the script (send it whole)
        ├── MoreShards          the queue has more shards than the call named (name all)
        └── ScriptError         a script or a command failed: our bug, or a broken key

Signals are exceptions that a handler raises to decide its job's outcome; they are not errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

LONGEST_RETRY_AFTER = 86_400.0
"""Seconds: the longest time that a server's Retry-After makes anything wait."""
LONGEST_DELAY = 366 * 86_400.0
"""Seconds: the longest time that a job can be made to wait."""


class TidegateError(Exception):
    """Something went wrong in Tidegate."""

    default_message: ClassVar[str] = ""  # no docstring serves: `python -OO` drops those

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.default_message or type(self).__name__)


class ConfigurationError(TidegateError):
    """This configuration can't work."""


class MissingSecret(ConfigurationError):
    """A secret that this operation needs is not configured."""


class NoArchive(ConfigurationError):
    """There is no archive."""

    default_message = "There is no archive: set DATABASE_URL to a Postgres."


class UnknownQueue(TidegateError):
    """No application declares this queue."""


class UnknownSchedule(TidegateError):
    """No application declares this schedule."""


class UnknownType(TidegateError):
    """This queue has no handler for this job type."""


class _Misfit(TidegateError):
    def __init__(self, message: str, fields: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(message)
        self.fields = list(fields)  # [{"field", "message"}]


class InvalidPayload(_Misfit):
    """The payload does not fit the model of its job type."""


class InvalidOption(_Misfit):
    """An option does not fit. `field`: its name, that of the first where several do not."""

    def __init__(self, message: str, field: str, fields: Sequence[dict[str, str]] = ()) -> None:
        text = message.removeprefix(f"{field}: ")
        super().__init__(message, fields or [{"field": field, "message": text}])
        self.field = field


class InvalidRequest(_Misfit):
    """The request does not fit its model."""


class PayloadTooLarge(TidegateError):
    """The job is larger than a job may be."""


class JobNotFound(TidegateError):
    """No such job: it never existed, its retention has ended, or it is archived."""


class NoResult(TidegateError):
    """The job ended without a result: dead, cancelled, or with one that could not be kept."""

    job: Any = None
    """The job as it ended, a `JobView`."""


class NameTaken(TidegateError):
    """Another job holds this job's deduplication name; redrive it when that job has ended."""


class NotStored(TidegateError):
    """A job was not stored. `answers`, of an enqueue of several: an `EnqueueAnswer` each, in order;
    the `refusal` of those that were not stored says why. `retry_after`: seconds, where known."""

    retry_after: float | None = None

    def __init__(self, message: str | None = None, answers: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.answers = answers


class QueueFull(NotStored):
    """The queue holds as many jobs, or as many bytes, as its declaration allows."""

    default_message = "The queue is full (max_jobs, max_bytes); the job was not stored."


class KeyLimited(NotStored):
    """The job's key has used up its rate. `retry_after`: seconds until the first has a token."""

    retry_after: float

    def __init__(
        self, retry_after: float, message: str | None = None, answers: Sequence[Any] = ()
    ) -> None:
        self.retry_after = retry_after
        text = f"the key of this job has used up its rate; try again in {retry_after:g} s"
        super().__init__(message or text, answers)


class IdempotencyMismatch(NotStored):
    """The idempotency key was used before, with another request."""

    default_message = "This idempotency key was used before, with another request."


class Crashed(TidegateError):
    """The functions that ran this job died, each time."""


class TokenLimited(TidegateError):
    """The token has used up its requests or jobs; nothing was done. `retry_after`: seconds."""

    def __init__(self, retry_after: float, message: str) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class UnknownToken(TidegateError):
    """No stored token has this id: it never existed, or it is revoked."""


class Unauthenticated(TidegateError):
    """The request carries no known token."""


class Forbidden(TidegateError):
    """The token lacks the right, or does not reach the queue."""


class ChildDied(TidegateError):
    """The child process of an isolated job ended before its handler did. `exit_code`: a negative
    one is a signal; None where it is not known."""

    def __init__(self, message: str | None = None, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class IsolatedError(TidegateError):
    """A handler in a child process failed. `type`: the class of its exception, by name. The
    traceback of the child is a note."""

    def __init__(self, type: str, message: str, trace: str = "") -> None:
        super().__init__(f"{type}: {message}")
        self.type = type
        if trace:
            self.add_note(trace)


class ArchiveError(TidegateError):
    """The archive's database did not perform the request."""


class StoreError(TidegateError):
    """The store did not perform the request."""

    retry_after: float | None = None
    """Seconds to wait before a repeat, where the store's reply names them."""
    answered = False
    """True if a server answered; False if the reply was lost or nothing was sent."""


class Unreachable(StoreError):
    """The store can't be reached; the request was not sent."""


class UnknownOutcome(StoreError):
    """The reply was lost; the request may have run."""


class Refused(StoreError):
    """The store refused the token or the permission."""


class QuotaExceeded(StoreError):
    """The store's plan is used up."""


class Throttled(StoreError):
    """The store is throttling."""


class TooLarge(StoreError):
    """The request or the reply is over the store's size limit."""


class MoreShards(StoreError):
    """The queue has more shards than the call named the keys of."""


class NoScript(StoreError):
    """The store does not hold this script."""


class ScriptError(StoreError):
    """A script failed in the store."""


STORE_DOWN = (Unreachable, UnknownOutcome, Throttled, QuotaExceeded, Refused)
"""What the store answers to any request at such a time: another choice of jobs would not help."""


class Signal(Exception):
    """An exception that decides the outcome of a handler's job."""


class RetryLater(Signal):
    """Try again after `seconds` (a number or a timedelta); the attempt counts."""

    def __init__(self, seconds: float | timedelta, reason: str = "") -> None:
        self.seconds = _seconds(seconds, "RetryLater")
        super().__init__(reason or f"retry in {self.seconds:g} s")


class Snooze(Signal):
    """Run again after `seconds` (a number or a timedelta), at least 1; no attempt is spent."""

    def __init__(self, seconds: float | timedelta, reason: str = "") -> None:
        self.seconds = _seconds(seconds, "Snooze")
        super().__init__(reason or f"snoozed for {self.seconds:g} s")


class Discard(Signal):
    """The job can never succeed: make it a dead letter now."""


class Cancel(Signal):
    """Stop here: the job ends `cancelled`."""


def _seconds(value: float | timedelta, signal: str) -> float:
    """Checked where the signal is made, so that the mistake is an error of its own handler."""
    seconds: object = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{signal}: seconds is a number or a timedelta, not {seconds!r:.80}")
    if not 0 <= seconds <= LONGEST_DELAY:  # NaN fails both comparisons
        raise ValueError(f"{signal}: seconds={seconds!r:.80}; choose 0 to {LONGEST_DELAY:.0f}")
    return float(seconds)
