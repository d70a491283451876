"""The limits of each key of a queue as texts for scripts: of a turn, and of an enqueue."""

from __future__ import annotations

from ..declare.policy import RateLimit
from ..declare.queue import Queue


def turn_limits(queue: Queue) -> str:
    """What a turn decides, "rate per_ms burst concurrency" (0: any), or "" where a key has no limit
    (lua/lib/request.lua). Where an enqueue takes the tokens of a key, a start takes none."""
    limits = queue.per_key
    if limits is None:
        return ""
    rate = limits.rate if queue.if_limited == "defer" else None
    tokens = _bucket(rate) if rate else "0 1 1"
    return f"{tokens} {limits.concurrency or 0}"


def door_limit(queue: Queue) -> str:
    """What an enqueue decides, "rate per_ms burst", where one beyond the rate is refused; else ""
    (lua/lib/door.lua)."""
    rate = queue.refused_rate
    return _bucket(rate) if rate else ""


def _bucket(rate: RateLimit) -> str:
    return f"{rate.rate} {rate.per_ms} {rate.burst}"
