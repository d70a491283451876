"""Readings: the numbers of the queues at one instant. The difference of two gives rates."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ..drain.durations import BUCKETS, mean
from ..store.counters import DURATION, WAIT, histogram
from ..store.queue_stats import QueueStats


@dataclass(frozen=True, slots=True)
class Reading:
    """What one queue has ever counted, at store time `at_ms`. `waits`, `runs`: how many were
    observed; `waited`, `ran`: their seconds in all."""

    at_ms: int
    done: int
    failed: int
    crashed: int
    waits: int
    waited: float
    runs: int
    ran: float

    @classmethod
    def of(cls, stats: QueueStats) -> Reading:
        """The reading of these numbers. A failed attempt is one that is retried or dead."""
        waits, waited = _sum(stats, WAIT)
        runs, ran = _sum(stats, DURATION)
        totals = stats.totals
        failed = totals["retried"] + totals["dead"]
        return cls(
            stats.now_ms, totals["done"], failed, totals["crashed"], waits, waited, runs, ran
        )

    def since(self, earlier: Reading) -> Reading | None:
        """What was counted since `earlier`, and in `at_ms` the time between. None where a count has
        fallen: the queue's numbers were lost or deleted, and counting begins anew."""
        here, there = asdict(self), asdict(earlier)
        change = {name: here[name] - there[name] for name in here}
        return None if any(value < 0 for value in change.values()) else Reading(**change)

    @property
    def attempts(self) -> int:
        """Attempts that ended: done or failed."""
        return self.done + self.failed

    @property
    def latency(self) -> float | None:
        """Seconds on average from when a job could begin to its end: its wait and its run."""
        if not self.waits or not self.runs:
            return None
        return self.waited / self.waits + self.ran / self.runs


def _sum(stats: QueueStats, kind: str) -> tuple[int, float]:
    counts = histogram(stats.counters, kind, BUCKETS)
    number = sum(counts)
    return number, (mean(counts) or 0.0) * number
