"""What drains count of their queues, for metrics. A store keeps what came up since the last turn
of each queue, and the next one carries it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ..store import Store, TurnReply
from ..store.counters import ANY, COMMANDS, DURATION, HELD, STOP, WAIT, Counters
from .durations import bucket_of
from .report import Report

HOLDING = frozenset({"limited", "full", "paused"})
"""Reasons of a turn that name what holds jobs back."""


def take_counts(store: Store, queue: str, observed: Mapping[str, Mapping[int, int]]) -> Counters:
    """The counts that the next turn of the queue carries. `observed`: durations that go with it, as
    bucket -> count by job type."""
    taken = store.uncounted.pop(queue, Counter())
    taken.update(store.uncounted.pop(ANY, Counter()))
    for counts in observed.values():
        for bucket, count in counts.items():
            taken[f"{DURATION}{bucket}"] += count
    return taken


def count_turn(store: Store, queue: str, reply: TurnReply) -> None:
    """Count the answer to a turn: how long its jobs have waited, and what holds others back."""
    waits = Counter(claim.at_ms - claim.since_ms for claim in reply.claims if claim.since_ms)
    if waits or reply.reason in HOLDING:
        counted = store.uncounted[queue]
        for wait, count in waits.items():
            counted[f"{WAIT}{bucket_of(wait / 1000)}"] += count
        if reply.reason in HOLDING:
            counted[HELD + reply.reason] += 1


def count_drain(store: Store, report: Report) -> Report:
    """Count a drain that has ended: its commands, and why its part of each queue ended."""
    store.uncounted[ANY][COMMANDS] += report.commands
    for queue, entry in report.by_queue.items():
        store.uncounted[queue][STOP + entry["stop"]] += 1
    return report
