"""The sender of a process's nudges. A nudge that fails or is lost costs latency: the next tick runs
the jobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from ..clock import Every
from .hops import next_hops
from .nudge import Nudge

log = logging.getLogger("tidegate.nudge")

MOST_SECONDS = 1.0
"""The longest that an enqueue waits for its nudge."""
LOG_EVERY = 60.0
"""Seconds between two lines about nudges that fail: each would say the same."""


class NudgeSender:
    """Sends nudges one way, in bounded time and without an error. `window`: seconds in which at
    most one is sent for a queue, whatever the number of its producers; the store counts them."""

    def __init__(self, nudge: Nudge, window: float) -> None:
        self._nudge, self.window = nudge, window
        self._failures = Every(LOG_EVERY)

    @property
    def window_ms(self) -> int:
        """The window in milliseconds."""
        return round(self.window * 1000)

    async def send(self, queues: Sequence[str], within: float = MOST_SECONDS) -> bool:
        """Call a drain of these queues, for at most `within` seconds. False where that failed, or
        where too many drains have called one another."""
        hops = next_hops()
        if hops is None:
            log.info("nudge_chain_ended", extra={"queues": list(queues)})
            return False
        try:
            async with asyncio.timeout(min(within, MOST_SECONDS)):
                await self._nudge.call(queues, hops)
        except Exception as error:  # noqa: BLE001 - whatever fails, the jobs are stored
            self._log(error)
            return False
        self._failures.reset()
        return True

    async def close(self) -> None:
        """Close connections."""
        await self._nudge.close()

    def _log(self, error: Exception) -> None:
        if self._failures.is_due():
            name = type(error).__name__
            log.warning("nudge_failed", extra={"error": f"{name}: {error}" if str(error) else name})
