"""The counters of a queue: what drains have counted since it exists. Each turn
carries them, at no command of their own; lua/lib/counters.lua adds them up in one field.

A name is a kind and, of a histogram, a bucket ("d12") or, of a reason, its word ("stop_budget").
What a process has counted and not sent yet is lost with it.
"""

from __future__ import annotations

from collections.abc import Mapping

Counters = Mapping[str, int]
"""Name -> count."""
DURATION, WAIT = "d", "w"
"""Histograms, in the buckets of drain/durations.py: how long jobs ran; how long they had waited
when they were claimed."""
HELD, STOP = "held_", "stop_"
"""Turns that claimed less than they wanted, and drains of the queue that ended, by reason."""
ANY = ""
"""In place of a queue: counts of drains, which the next turn of any queue carries."""
COMMANDS = "commands"
"""Billed commands of drains, whatever the queue."""


def read_counters(text: str) -> dict[str, int]:
    """The counters as lua/lib/counters.lua writes them; "" where nothing was counted yet."""
    pairs = (pair.rpartition(":") for pair in text.split())
    return {name: int(count) for name, _colon, count in pairs}


def write_counters(counters: Counters) -> str:
    """The same as a text."""
    return " ".join(f"{name}:{count}" for name, count in counters.items())


def histogram(counters: Counters, kind: str, buckets: int) -> list[int]:
    """Counts by bucket, of the kind DURATION or WAIT."""
    return [counters.get(f"{kind}{bucket}", 0) for bucket in range(1, buckets + 1)]


def by_reason(counters: Counters, kind: str) -> dict[str, int]:
    """Reason -> count, of the kind HELD or STOP."""
    return {n.removeprefix(kind): count for n, count in counters.items() if n.startswith(kind)}
