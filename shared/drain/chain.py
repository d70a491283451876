"""What links a drain to the ones before and after it: the window of the nudge that started it, and
the call of another one for the work that it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..declare.queue import Queue
from ..nudge.sender import NudgeSender
from ..store import Store
from .budget import Budget
from .report import ConsumerReport, StopReason
from .waiting import race

MOST_QUEUES = 100
"""Queues that one call names."""


class Chain:
    """The place in a chain of drains of one that a platform has started. `sender`: calls the next;
    `nudged`: a nudge has started it."""

    def __init__(self, store: Store, sender: NudgeSender, budget: Budget, *, nudged: bool) -> None:
        self._store, self._sender, self._budget = store, sender, budget
        self._waits = nudged
        self.stopped = asyncio.Event()
        """Set where the drain is to end early."""

    async def wait_for_window(self) -> bool:
        """Wait, once, until the window has ended of the nudge that started this drain. True if it
        waited: jobs that came meanwhile had no nudge of their own."""
        if not self._waits:
            return False
        self._waits = False
        rest = min(self._sender.window - self._budget.used(), self._budget.handler_time())
        if rest <= 0 or self.stopped.is_set():
            return False
        return await race(self._budget.clock.sleep(rest), self.stopped)

    async def call_next(
        self, queues: Sequence[Queue], reports: Sequence[ConsumerReport]
    ) -> list[str]:
        """Call a drain of the queues whose jobs wait for nothing but time; their names. Not where
        the next one was called within the window. Raises StoreError."""
        ended = {one.queue for one in reports if _ran_out(one)}
        if not ended:
            return []
        sender = self._sender
        seconds = self._budget.left() / 3  # this drain still has its report to write
        left = [queue for queue in queues if queue.name in ended][:MOST_QUEUES]
        taken = await asyncio.gather(
            *(self._store.take_nudge(queue, sender.window_ms, within=seconds) for queue in left)
        )
        names = [queue.name for queue, may in zip(left, taken, strict=True) if may]
        called = bool(names) and await sender.send(names, seconds)
        return names if called else []


def _ran_out(report: ConsumerReport) -> bool:
    return report.stop is StopReason.BUDGET and report.error is None
