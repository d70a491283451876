"""Every Redis key that Tidegate uses is named here and nowhere else.

One queue has one vector of keys, in one order, for every script; they share a hash tag, so they
share a lock and a cluster slot. The agenda is one more key for the whole deployment.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

PARTS = (
    "records",  # HASH   id -> job record; ":name" -> the queue's own scalars
    "suspects",  # LIST  ids whose function died; handed out alone
    "high",  # LIST      waiting ids, one list a priority
    "normal",
    "low",
    "delayed",  # ZSET   id -> due instant (ms)
    "active",  # ZSET    lease -> expiry (ms); a lease is "id fence owner seq exclusive"
    "parked",  # ZSET    id -> instant at which to look again (ms)
    "completed",  # ZSET id -> instant of its end (ms), until retention
    "cancelled",  # ZSET id -> instant of its end (ms), until retention
    "dead",  # ZSET      id -> instant of its end (ms), never trimmed
    "dedup",  # HASH     guard name -> "expires fingerprint id state"
    "inbox",  # LIST     raw records from foreign producers
)

WORK: tuple[str, ...] = (
    *("high", "normal", "low", "suspects"),
    *("delayed", "active", "parked", "inbox"),
)
"""The parts that exist only while a queue has work."""
CLAIMABLE: tuple[str, ...] = ("high", "normal", "low", "suspects", "inbox")
"""Those whose work needs no instant to come."""
FOREIGN: tuple[str, ...] = ("inbox",)
"""What others write, who know nothing of the agenda."""


def agenda(prefix: str) -> str:
    """The agenda: ZSET queue -> instant (ms) before which it can't have work."""
    return f"{prefix}:agenda"


def part(prefix: str, queue: str, name: str) -> str:
    """One key of a queue."""
    return f"{{{prefix}:{queue}}}:{name}"


@lru_cache(maxsize=1024)
def vector(prefix: str, queue: str) -> tuple[str, ...]:
    """The KEYS of every script of this queue, the same for every request."""
    return *(part(prefix, queue, name) for name in PARTS), agenda(prefix)


def parts(prefix: str, queue: str, names: Iterable[str]) -> list[str]:
    """Several keys of a queue."""
    return [part(prefix, queue, name) for name in names]
