"""Per-job timeouts on one shared timer.

A timer of its own would cost a small job a tenth of what it costs in all
(docs/decisions/0009-per-job-cost.md).
"""

from __future__ import annotations

import asyncio
from math import inf
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
        self._fires = inf

    def add(self, job: Cancellable, seconds: float) -> None:
        """Cancel this job after `seconds`, unless it is removed before."""
        end = self._ends[job] = asyncio.get_running_loop().time() + seconds
        if end < self._fires - SLACK:
            self._arm(end)

    def remove(self, job: Cancellable) -> None:
        """Stop watching a finished job. The timer stays armed: one needless wake-up is cheaper
        than arming it anew."""
        self._ends.pop(job, None)

    def _arm(self, end: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._fires = asyncio.get_running_loop().call_at(end, self._fire), end

    def _fire(self) -> None:
        self._fires, now = inf, asyncio.get_running_loop().time()
        for job in [job for job, end in self._ends.items() if end <= now]:
            del self._ends[job]
            job.cancel("timeout")
        if self._ends:
            self._arm(min(self._ends.values()))
