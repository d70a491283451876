"""Per-job timeouts on one shared timer.

A timer of its own would cost a small job a tenth of what it costs in all
(docs/decisions/0009-per-job-cost.md).
"""

from __future__ import annotations

import asyncio
from typing import Literal, Protocol

SLACK = 0.005
"""Slack in seconds: timeouts this close together fire in one callback."""


class Cancellable(Protocol):
    """A job that can be cancelled for a reason."""

    def cancel(self, reason: Literal["timeout"]) -> None: ...


class Timeouts:
    """Cancels every job that is not removed in time. Belongs to one event loop."""

    def __init__(self) -> None:
        self._ends: dict[Cancellable, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, job: Cancellable, seconds: float) -> None:
        """Cancel this job after `seconds`, unless it is removed before."""
        loop = asyncio.get_running_loop()
        end = self._ends[job] = loop.time() + seconds
        if self._timer is None:
            self._timer = loop.call_at(end, self._fire)
        elif end < self._timer.when() - SLACK:
            self._timer.cancel()
            self._timer = loop.call_at(end, self._fire)

    def remove(self, job: Cancellable) -> None:
        """Stop watching a finished job. The timer stays armed: one needless wake-up is cheaper
        than arming it anew."""
        self._ends.pop(job, None)

    def _fire(self) -> None:
        loop, self._timer = asyncio.get_running_loop(), None
        now = loop.time()
        for job in [job for job, end in self._ends.items() if end <= now]:
            del self._ends[job]
            job.cancel("timeout")
        if self._ends:
            self._timer = loop.call_at(min(self._ends.values()), self._fire)
