"""The state of a key of a queue's jobs, as the reading scripts answer it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..declare.policy import RateLimit
from ..declare.queue import Queue

PARTS_OF_MS = 2048
"""Instants of a key's rate are multiples of such a part (lua/lib/key_rate.lua)."""


class KeyView(NamedTuple):
    """One key of a queue: its jobs that run, those of its backlog, and its bucket. `full_at_ms`:
    the instant at which the bucket is full again; `first`: the position at which its backlog
    begins."""

    key: str
    active: int
    backlog: int
    full_at_ms: float
    first: int
    now_ms: int

    def tokens(self, rate: RateLimit) -> int:
        """Whole tokens in the bucket now."""
        missing = (self._full_at(rate) - self.now_ms) / interval_ms(rate)
        return max(0, min(rate.burst, math.floor(rate.burst - missing)))

    def token_at_ms(self, rate: RateLimit, ahead: int = 0) -> int:
        """The instant from which there is a token for one more start, after `ahead` others."""
        at = self._full_at(rate) - (rate.burst - 1 - ahead) * interval_ms(rate)
        return max(self.now_ms, math.ceil(at))

    def _full_at(self, rate: RateLimit) -> float:
        within = self.now_ms + rate.burst * interval_ms(rate)
        return max(float(self.now_ms), min(self.full_at_ms, within))


class KeyPage(NamedTuple):
    """The busiest keys of a queue. `known`: how many keys have a state at all."""

    queue: Queue
    known: int
    keys: list[KeyView]


def interval_ms(rate: RateLimit) -> float:
    """Milliseconds between two starts of a key."""
    return math.ceil(rate.per_ms * PARTS_OF_MS / rate.rate) / PARTS_OF_MS


def read_key(key: str, state: str, active: int, now_ms: int) -> KeyView:
    """A key from its stored state, "" where it has none."""
    full_at, first, following, _look = (state or "0 1 1 0").split(" ")
    backlog = int(following) - int(first)
    return KeyView(key, active, backlog, float(full_at), int(first), now_ms)


def read_busiest(queue: Queue, reply: Sequence[Any], most: int) -> KeyPage:
    """The answer of busiest.lua: those with most jobs that run or wait, then the emptiest
    buckets."""
    now, known, *flat = reply
    keys = [
        read_key(key, state, int(active), int(now))
        for key, state, active in zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    ]
    keys.sort(key=lambda one: (-one.active - one.backlog, -one.full_at_ms, one.key))
    return KeyPage(queue, int(known), keys[:most])
