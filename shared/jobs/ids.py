"""Job ids: made, checked and read."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import threading
import time
from collections.abc import Callable

from ..checks import plain
from ..errors import InvalidOption
from .sizes import MOST_BYTES_A_REQUEST, MOST_JOBS_A_REQUEST

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTH = 22
"""Letters of an id that we make, in two halves."""
_SHARED = 9
"""The first letters, which the ids of one batch share: their number is computed once."""
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
OWN_ID = "1 to 64 letters, digits, '_' or '-'"
_OWN = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_SHORT = re.compile(r"~?[A-Za-z0-9_-]{1,64}(~[0-9]{1,2})?\Z")
"""With a leading "~" it came through the inbox; "~" and a number behind it is the shard."""
_FROM_INBOX = re.compile(r"~([0-9]{1,15})-[0-9a-f]+-[0-9]+-[0-9]+(~[0-9]{1,2})?\Z")
"""As lua/lib/intake.lua makes it: the instant (ms), 0, the number of earlier records, its own."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
NAME_GRAMMAR = "use a-z, 0-9, '.', '_', '-'; start with a letter or digit; at most 64"


def is_name(text: str) -> bool:
    """True for the name of a queue or an application: `[a-z0-9][a-z0-9._-]{0,63}`."""
    return _NAME.match(text) is not None


RUN_JOBS, RUN_BYTES, RUN_PAUSE_MS = MOST_JOBS_A_REQUEST, MOST_BYTES_A_REQUEST, 100
"""Ids that are made in one run share a shard, so that one enqueue request writes into one. A run
ends at one of these numbers: of jobs, of bytes of payloads, of the milliseconds of a pause."""


class _Ids:
    """UUIDv7 (RFC 9562) as 22 base-62 characters: time-ordered also within one millisecond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._run, self._run_jobs, self._run_bytes = os.urandom(1)[0], 0, 0

    def new(self, shards: int, size: int) -> str:
        with self._lock:
            before, stamp = self._last, (time.time_ns() // 1_000_000) << 12
            self._last = stamp = max(stamp, before + 1)
            run = self._run_of(size, (stamp - before) >> 12) if shards > 1 else 0
        random = int.from_bytes(os.urandom(8), "big")
        high = (stamp >> 12 << 16) | 0x7000 | (stamp & 0xFFF)
        low = (random & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000
        short = _base62(high) + _base62(low)
        return short if shards == 1 else f"{short}~{run % shards}"

    def _run_of(self, size: int, pause_ms: int) -> int:
        """The number of the run to which an id belongs that is made now."""
        is_full = self._run_jobs == RUN_JOBS or self._run_bytes + size > RUN_BYTES
        if is_full or pause_ms > RUN_PAUSE_MS:
            self._run, self._run_jobs, self._run_bytes = self._run + 1, 0, 0
        self._run_jobs, self._run_bytes = self._run_jobs + 1, self._run_bytes + size
        return self._run


def _base62(number: int) -> str:
    digits = []
    for _ in range(5):
        number, rest = divmod(number, 3844)
        digits.append(_PAIRS[rest])
    digits.append(_ALPHABET[number])
    return "".join(reversed(digits))


_ids = _Ids()


def new_id(shards: int = 1, size: int = 0) -> str:
    """A fresh id within a queue of so many shards, for a job whose payload has about `size`
    bytes."""
    return _ids.new(shards, size)


def schedule_id(key: str, planned: int) -> str:
    """The id of a schedule's occurrence. It begins with "~", so no caller can take it."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return f"~s{digest}-{planned}"


def created_ms(short: str) -> int | None:
    """The instant at which `new_id` made this id, by its producer's clock, or at which a queue took
    a record in from its inbox; None for an id that a caller chose."""
    if short.startswith("~"):  # which may be as long as ours
        from_inbox = _FROM_INBOX.match(short)
        return int(from_inbox[1]) if from_inbox else None
    if len(short) != LENGTH and short[LENGTH : LENGTH + 1] != "~":
        return None
    if not short[:LENGTH].isalnum() or not short.isascii():
        return None
    high = _number(short[:_SHARED]) + _ALPHABET.index(short[_SHARED]) * 62
    high += _ALPHABET.index(short[_SHARED + 1])
    return high >> 16 if high >> 12 & 0xF == 7 else None


@functools.lru_cache(maxsize=1024)
def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 62 + _ALPHABET.index(letter)
    return number * 62 * 62  # two letters more are the first half of the id


def public_id(short: str, queue: str) -> str:
    """The id that outsiders see: opaque, URL-safe, time-ordered, and it carries its queue."""
    return f"{short}.{queue}"


def unique_id(job_id: str, created_ms: int | None) -> str:
    """A public id that no other job has, ever. A caller's own id may come again once its record is
    gone: then the instant of its enqueue, which its body keeps, tells the new job from the old one.
    Ids that we make never come again. `created_ms`: as the body has it."""
    is_callers = created_ms is not None and not job_id.startswith("~")
    return f"{job_id}+{created_ms}" if is_callers else job_id


def local_id(job_id: str) -> str:
    """A public id's part within its queue."""
    return job_id.partition(".")[0]


def split_id(job_id: str) -> tuple[str, str] | None:
    """`(id within the queue, queue)`, or None when this can't be an id of ours."""
    short, dot, queue = job_id.partition(".")
    if not dot or not _SHORT.match(short) or not is_name(queue):
        return None
    return short, queue


class ChildId(str):
    """The id of a job that another job enqueues. It begins with "~", which no caller may write, so
    no other producer can take it before the parent does."""

    __slots__ = ()


def child_id(parent: str, name: str) -> ChildId:
    """The id of the child `name` of a job: equal for equal arguments, and for no others. `parent`:
    its unique id, so that a later job of the same id has children of its own."""
    digest = hashlib.sha256(f"{parent}\n{plain(name)}".encode()).hexdigest()
    return ChildId(f"~{digest[:40]}")


def keep_child_id(value: object, validate: Callable[[object], str]) -> str:
    """For pydantic's WrapValidator on an option `job_id`: a ChildId stays one. Without it a model
    makes a plain text of it, which `check_job_id` refuses. JSON can't hold a ChildId."""
    return value if isinstance(value, ChildId) else validate(value)


def check_job_id(short: str) -> str:
    """A caller's own `job_id`, or InvalidOption. A leading "~" is ours: jobs from the inbox, and
    the children of jobs."""
    if isinstance(short, ChildId):
        return short
    if not _OWN.match(short):
        raise InvalidOption(f"job_id: {OWN_ID}", "job_id")
    return short
