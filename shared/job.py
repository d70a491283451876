r"""A job as values: what is enqueued (`Job`), what a drain holds (`Claim`), what became of it
(`Outcome`).

The store keeps a job as a header that the scripts own and two opaque texts: the body written at
enqueue (`meta line \n payload`, never rewritten, so a retry sees the original bytes) and the tail
(result, progress, errors) that each settle replaces.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from .errors import InvalidOption

Priority = Literal["high", "normal", "low"]
PRIORITIES: tuple[Priority, ...] = ("high", "normal", "low")
Kind = Literal["done", "retry", "dead", "release", "snooze", "park", "cancelled", "keep"]

ERRORS_KEPT = 5
TEXT_KEPT = 2_000

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_SHORT = re.compile(r"~?[A-Za-z0-9_-]{1,64}\Z")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")


NAME_GRAMMAR = "use a-z, 0-9, '.', '_', '-'; start with a letter or digit; at most 64"


def is_name(text: str) -> bool:
    """Is this a queue's name, or an application's? `[a-z0-9][a-z0-9._-]{0,63}`"""
    return _NAME.match(text) is not None


class _Ids:
    """UUIDv7 (RFC 9562) as 22 base-62 characters: time-ordered also within one millisecond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def new(self) -> str:
        with self._lock:
            stamp = max((time.time_ns() // 1_000_000) << 12, self._last + 1)
            self._last = stamp
        random = int.from_bytes(os.urandom(8), "big")
        high = (stamp >> 12 << 16) | 0x7000 | (stamp & 0xFFF)
        low = (random & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000
        return _base62(high) + _base62(low)


def _base62(number: int) -> str:
    digits = []
    for _ in range(5):
        number, rest = divmod(number, 3844)
        digits.append(_PAIRS[rest])
    digits.append(_ALPHABET[number])
    return "".join(reversed(digits))


_ids = _Ids()


def new_id() -> str:
    """A fresh id within a queue."""
    return _ids.new()


def made_ms(short: str) -> int | None:
    """When `new_id` made this id, by its maker's clock; None for an id that a caller chose."""
    if len(short) != 22 or not (short.isascii() and short.isalnum()):
        return None
    high = 0
    for letter in short[:11]:
        high = high * 62 + _ALPHABET.index(letter)
    return high >> 16 if (high >> 12) & 0xF == 7 else None


def public_id(short: str, queue: str) -> str:
    """The id that outsiders see: opaque, URL-safe, time-ordered, and it carries its queue."""
    return f"{short}.{queue}"


def split_id(job_id: str) -> tuple[str, str] | None:
    """`(id within the queue, queue)`, or None when this can't be an id of ours."""
    short, dot, queue = job_id.partition(".")
    if not dot or not _SHORT.match(short) or not is_name(queue):
        return None
    return short, queue


def check_job_id(short: str) -> str:
    """A caller's own `job_id`, or InvalidOption. A leading "~" is the store's (jobs from the
    inbox)."""
    if short.startswith("~") or not _SHORT.match(short):
        raise InvalidOption("job_id: 1 to 64 letters, digits, '_' or '-'", "job_id")
    return short


@dataclass(frozen=True, slots=True)
class Guard:
    """At most one job per name: deduplication (`until` the job ends or a time to live passes)
    and idempotency keys (with a fingerprint: another body under the same name is a mismatch)."""

    name: str
    ttl_ms: int = 0
    fingerprint: str = "-"


@dataclass(frozen=True, slots=True)
class Job:
    """One job to enqueue. `payload` is JSON text. Times are milliseconds; 0 means now."""

    type: str
    payload: str
    id: str = field(default_factory=new_id)
    priority: Priority = "normal"
    delay_ms: int = 0
    run_at_ms: int = 0
    key: str = "-"
    dedup: Guard | None = None
    idempotency: Guard | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    """Overrides of the queue's policy: attempts, backoff, timeout."""

    def body(self) -> str:
        """What the store keeps and never rewrites."""
        return (
            json.dumps({"type": self.type, **self.meta}, separators=(",", ":"))
            + "\n"
            + self.payload
        )


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What became of one `Job` of an enqueue. `id` is the public id of the job that now stands for
    it."""

    id: str
    state: str
    duplicate: bool
    mismatch: bool = False


class Claim(NamedTuple):
    """A job leased to one drain. `lease` is the fencing token that its settle must show."""

    lease: str
    id: str
    fence: int
    queue: str
    attempts: int
    crashes: int
    solo: bool
    body: str | bytes
    tail: str
    foreign: bool = False
    key: str = "-"

    @property
    def redelivered(self) -> bool:
        """Has an earlier delivery ended without an accounted outcome?"""
        return self.fence - 1 > self.attempts


class Outcome(NamedTuple):
    """What became of one claim. `delay` in seconds (retry, snooze); `detail` goes into the job's
    tail."""

    kind: Kind
    delay: float = 0.0
    detail: Mapping[str, Any] = MappingProxyType({})

    @property
    def delay_ms(self) -> int:
        return max(0, round(self.delay * 1000))


def clean(text: str) -> str:
    """Text that any sink can hold: capped, valid Unicode, no control characters but newline and
    tab."""
    capped = text[:TEXT_KEPT].encode("utf-8", "replace").decode()
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in capped)


def tail_of(claim: Claim, outcome: Outcome, at_ms: int) -> str:
    """The claim's tail with this outcome in it: the last few errors, the result, the progress."""
    if not outcome.detail:
        return claim.tail
    tail: dict[str, Any] = read_tail(claim.tail)
    detail = dict(outcome.detail)
    error = detail.pop("error", None)
    if error is not None:
        entry = {"at": at_ms, "attempt": claim.attempts + 1, **error}
        before = tail.get("errors")
        tail["errors"] = [*(before if isinstance(before, list) else ()), entry][-ERRORS_KEPT:]
    tail.update(detail)
    return json.dumps(tail, separators=(",", ":"), ensure_ascii=False) if tail else ""


def read_tail(text: str) -> dict[str, Any]:
    """The tail as a mapping; a tail that is not ours reads as empty."""
    try:
        tail = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return tail if isinstance(tail, dict) else {}


class JobLog(logging.LoggerAdapter[logging.Logger]):
    """A handler's logger: every line says of which job it speaks."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs


class JobContext:
    """What a handler may know about, and do with, the job it runs."""

    __slots__ = (
        "_budget_left",
        "_progress",
        "attempt",
        "fence",
        "id",
        "key",
        "logger",
        "queue",
        "redelivered",
        "type",
    )

    def __init__(
        self,
        claim: Claim,
        job_type: str,
        *,
        budget_left: Callable[[], float],
        logger: logging.Logger | logging.LoggerAdapter[logging.Logger] | None = None,
    ) -> None:
        self.id = public_id(claim.id, claim.queue)
        self.queue = claim.queue
        self.type = job_type
        self.attempt = claim.attempts + 1
        self.fence = claim.fence
        self.key = None if claim.key == "-" else claim.key
        self.redelivered = claim.redelivered
        self.logger = logger or JobLog(
            logging.getLogger("tidegate.job"),
            {"queue": self.queue, "job_id": self.id, "type": self.type, "attempt": self.attempt},
        )
        self._budget_left = budget_left
        self._progress: dict[str, Any] | None = None

    def budget_left(self) -> float:
        """Seconds this job may still use: the time its timeout or the function leaves."""
        return self._budget_left()

    def progress(self, done: float, note: str = "") -> None:
        """Say how far it is, 0 to 100. Stored with the drain's next turn, at no extra request."""
        value = min(100.0, max(0.0, float(done)))
        self._progress = {"progress": int(value) if value.is_integer() else value}
        if note:
            self._progress["note"] = clean(note)

    @property
    def has_progress(self) -> bool:
        """Was progress said that no turn has carried yet? For the drain."""
        return self._progress is not None

    def take_progress(self) -> dict[str, Any] | None:
        """What was said since the last call. For the drain."""
        said, self._progress = self._progress, None
        return said
