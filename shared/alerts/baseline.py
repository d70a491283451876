"""The baseline of a queue: the latency that its jobs usually have."""

from __future__ import annotations

from dataclasses import dataclass

from .reading import Reading

HALF_LIFE_MS = 86_400_000
"""A latency that lasts is the usual one after about a day, even if it made an alert fire."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Seconds from when a job could begin to its end, on average over `jobs` jobs."""

    seconds: float = 0.0
    jobs: int = 0

    def learn(self, change: Reading) -> Baseline:
        """The baseline with what was observed in this change: at first the mean of all jobs, later
        one that forgets."""
        latency, jobs = change.latency, min(change.waits, change.runs)
        if latency is None:
            return self
        faded = 1 - 0.5 ** (change.at_ms / HALF_LIFE_MS)
        weight = max(jobs / (self.jobs + jobs), faded)
        return Baseline(self.seconds + (latency - self.seconds) * weight, self.jobs + jobs)
