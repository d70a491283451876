"""Each job has a time by which it must have ended, all of them together one timer.

A timer of its own would cost a small job a tenth of what it costs in all
(docs/decisions/0009-per-job-cost.md).
"""

from __future__ import annotations

import asyncio
from typing import Protocol

LATE = 0.005
"""Seconds that a job may be stopped late, so that times which hardly differ share one ring."""


class Stoppable(Protocol):
    """What can be stopped, with the reason for it."""

    def stop(self, reason: str) -> None: ...


class Timeouts:
    """Stops with "timeout" whoever was not released in time. Belongs to one event loop."""

    def __init__(self) -> None:
        self._ends: dict[Stoppable, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, job: Stoppable, seconds: float) -> None:
        """Stop this job in so many seconds, unless it is released before."""
        loop = asyncio.get_running_loop()
        end = self._ends[job] = loop.time() + seconds
        if self._timer is None:
            self._timer = loop.call_at(end, self._ring)
        elif end < self._timer.when() - LATE:
            self._timer.cancel()
            self._timer = loop.call_at(end, self._ring)

    def release(self, job: Stoppable) -> None:
        """The job has ended. The timer stays: it may ring for nobody, once."""
        self._ends.pop(job, None)

    def _ring(self) -> None:
        loop, self._timer = asyncio.get_running_loop(), None
        now = loop.time()
        for job in [job for job, end in self._ends.items() if end <= now]:
            del self._ends[job]
            job.stop("timeout")
        if self._ends:
            self._timer = loop.call_at(min(self._ends.values()), self._ring)
