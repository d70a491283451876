"""What may start in the time that is left: durations learned by job type against the budget."""

from __future__ import annotations

from collections import Counter

from .budget import Budget
from .durations import bucket_of, quantile
from .execute import Work
from .job import Outcome
from .queue import Queue

SURE = 0.95
LEAST_PARKED = 60.0


class Admission:
    """One lane's knowledge of how long jobs take: what the store has learned plus what it sees."""

    def __init__(self, queue: Queue, budget: Budget) -> None:
        self._queue = queue
        self._budget = budget
        self._sketches: dict[str, list[int]] = {}
        self._observed: dict[str, Counter[int]] = {}
        self._expectations: dict[tuple[str, float], float] = {}

    def learn(self, sketches: dict[str, list[int]]) -> None:
        """Take over what the store knows."""
        self._sketches.update(sketches)
        self._expectations.clear()

    def observe(self, work: Work, seconds: float) -> None:
        """A job of this type ran for so long (to its end, or until it was cut off)."""
        if work.job_type is None or work.problem:
            return
        bucket = bucket_of(seconds)
        observed = self._observed.get(work.name)
        if observed is None:
            observed = self._observed[work.name] = Counter()
        observed[bucket] += 1
        sketch = self._sketches.get(work.name)
        if sketch and len(sketch) >= bucket:
            sketch[bucket - 1] += 1
            self._expectations.clear()

    def take_observed(self) -> dict[str, Counter[int]]:
        """What was observed since the last call, for the next turn."""
        observed, self._observed = self._observed, {}
        return observed

    def anything_fits(self) -> bool:
        """Is there a type whose jobs are expected to fit what is left?"""
        names = list(self._queue.types) or [""]
        return any(self._budget.allows(self._expected(name, self._timeout(name))) for name in names)

    def refusal(self, work: Work, left: float) -> Outcome | None:
        """None when the job may start, with `left` seconds for handlers; else it is given back, or
        parked if no window is enough."""
        if work.job_type is None or work.problem:
            return None
        expected = self._expected(work.name, work.timeout)
        if expected <= left:
            return None
        if self._budget.ever_allows(expected):
            return Outcome("release")
        window = self._budget.total - self._budget.reserve
        reason = f"expected to take {expected:.1f} s; a window of this host has {window:.1f} s"
        return Outcome("park", max(LEAST_PARKED, self._budget.total), {"parked": reason})

    def _timeout(self, name: str) -> float:
        job_type = self._queue.types.get(name)
        return job_type.timeout if job_type else self._queue.timeout

    def _expected(self, name: str, timeout: float) -> float:
        """Seconds a job takes, as learned. Before that its timeout, but not over half a window: a
        guess may delay a job, it must not keep it from ever being tried."""
        expected = self._expectations.get((name, timeout))
        if expected is None:
            learned = quantile(self._sketches.get(name, ()), SURE)
            if learned is None:
                learned = (self._budget.total - self._budget.reserve) / 2
            expected = self._expectations[name, timeout] = min(timeout, learned)
        return expected
