"""Admission: what may start in the time that is left, by learned durations."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping

from ..declare.queue import Queue
from ..jobs.outcome import Outcome
from .bounds import FREE_CUTS, WHOLE
from .budget import Budget
from .durations import BUCKETS, GROWTH, bucket_of, quantile
from .run import Run

CONFIDENCE = 0.95
"""The share of earlier runs whose duration must fit."""
MIN_PARK_SECONDS = 60.0
MAX_PARK_SECONDS = 3600.0
PARK_GROWTH = 1.5
"""Each time a job is parked for its length it rests this much longer."""
LONGEST_REST = 60.0
"""Seconds for which a job that does not fit what is left is given back: other windows begin."""
CUT_GROWTH = 1.5
"""A job that was cut off gets this much more time before it is started again."""
TRIAL_EVERY = 4
"""Every fourth check of a job that is parked for its length starts it anyway, at the beginning of a
window: the durations learned of its type may be out of date."""


class Admission:
    """One consumer's estimates of durations: what the store has learned plus what it sees."""

    def __init__(self, queue: Queue, budget: Budget) -> None:
        self._queue = queue
        self._budget, self._window = budget, budget.window
        self._histograms = defaultdict[str, list[int]](lambda: [0] * BUCKETS)
        self._observed = defaultdict[str, Counter[int]](Counter)
        self._estimates: dict[tuple[str, float], float] = {}

    def learn(self, histograms: Mapping[str, list[int]]) -> None:
        """Take over the store's histograms."""
        for name, counts in histograms.items():
            self._histograms[name] = counts + [0] * (BUCKETS - len(counts))
        self._estimates.clear()

    def observe(self, run: Run, seconds: float) -> None:
        """Count a run of `seconds`, to its end or until it was cut off."""
        if run.job_type is not None:
            name, bucket = run.body.type, bucket_of(seconds)
            self._observed[name][bucket] += 1
            self._histograms[name][bucket - 1] += 1
            self._estimates.clear()

    def take_observed(self) -> dict[str, Counter[int]]:
        """The observations since the last call, for the next turn."""
        observed, self._observed = self._observed, defaultdict[str, Counter[int]](Counter)
        return observed

    def anything_fits(self) -> bool:
        """True if the jobs of some type are expected to fit what is left."""
        names = list(self._queue.types) or [""]
        left = self._budget.handler_time()
        return any(self._fits(self._estimate(name, self._timeout(name)), left) for name in names)

    def spare(self) -> float:
        """Seconds that a job of the shortest type may still wait before it starts and fit. A job
        claimed for a later time would only be given back, and the next one claimed."""
        names = list(self._queue.types) or [""]
        shortest = min(self._estimate(name, self._timeout(name)) for name in names)
        return max(0.0, self._budget.handler_time() - shortest)

    def refusal(self, run: Run, left: float) -> Outcome | None:
        """None if the job may start now, with `left` seconds for handlers; else the outcome that
        postpones it: a release to the next window, or a park if no window is long enough. Its token
        is given back."""
        if run.job_type is None or run.claim.crashed or run.end:
            return None
        estimate = self._estimate(run.body.type, run.timeout)
        if estimate <= left and not run.cuts.longest:
            return None
        return self._refuse(run, self._adjusted(estimate, run), left)

    def _adjusted(self, estimate: float, run: Run) -> float:
        """The estimate for a job that ran into the end of a function before."""
        if not run.cuts.longest:
            return estimate
        estimate = min(max(estimate, run.cuts.longest * CUT_GROWTH), run.timeout)
        may_fit = run.cuts.windows < FREE_CUTS or run.cuts.longest < WHOLE * self._window
        return min(estimate, self._window) if may_fit else estimate

    def _refuse(self, run: Run, estimate: float, left: float) -> Outcome | None:
        trial = run.cuts.parks % TRIAL_EVERY == TRIAL_EVERY - 1
        if self._fits(min(estimate, self._window) if trial else estimate, left):
            return None
        if self._budget.ever_allows(estimate):
            return Outcome("release", min(self._budget.left(), LONGEST_REST), started=False)
        reason = (
            f"expected to take {estimate:.1f} s; a window of this host has {self._window:.1f} s"
        )
        detail = {"parked": reason, "parks": run.cuts.parks + 1}
        return Outcome("park", _park_seconds(run.cuts.parks), detail, started=False)

    def _fits(self, estimate: float, left: float) -> bool:
        """True if it fits what is left. What needs a whole window fits one that has just begun:
        the first turn has taken a little of it."""
        needed = min(estimate, WHOLE * self._window) if estimate <= self._window else estimate
        return needed <= left

    def _timeout(self, name: str) -> float:
        job_type = self._queue.types.get(name)
        return job_type.timeout if job_type else self._queue.timeout

    def _estimate(self, name: str, timeout: float) -> float:
        """Seconds a job is expected to take. Before its type is learned: its timeout, but at most
        half a window, because a guess may delay a job but must not keep it from ever running."""
        estimate = self._estimates.get((name, timeout))
        if estimate is None:
            learned = quantile(self._histograms.get(name, ()), CONFIDENCE)
            if learned is None:
                learned = self._window / 2
            elif learned / GROWTH <= self._window:  # a bucket that a whole window reaches
                learned = min(learned, self._window)
            estimate = self._estimates[name, timeout] = min(timeout, learned)
        return estimate


def _park_seconds(parks: int) -> float:
    """The rest of a job that was parked so often before. At random, so that hosts with longer
    windows, whose ticks have another rhythm, meet it too."""
    grown = MIN_PARK_SECONDS * PARK_GROWTH ** min(parks, 20)
    return min(MAX_PARK_SECONDS, grown) * (1 + random.random() / 2)  # noqa: S311 - no secret
