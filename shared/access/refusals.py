"""Requests that were refused for their token: counted in the process, and written to the store at
most once a minute, by a request that is let through. So a refusal itself costs no command."""

from __future__ import annotations

import logging
from collections import Counter

from ..clock import Clock, Every
from ..errors import StoreError
from ..store.access import AccessEntries

log = logging.getLogger("tidegate.access")
EVERY_SECONDS = 60.0


class Refusals:
    """The refusals of one process by status, 401 or 403. `unwritten`: those that the store's counts
    lack."""

    def __init__(self, clock: Clock) -> None:
        self._logs = Every(EVERY_SECONDS, clock.monotonic)
        self._writes = Every(EVERY_SECONDS, clock.monotonic)
        self._unlogged, self.unwritten = Counter[int](), Counter[int]()

    def add(self, status: int) -> None:
        """Count one, and log the counts once a minute."""
        self._unlogged[status] += 1
        self.unwritten[status] += 1
        if self._logs.is_due():
            counts = {f"status_{status}": count for status, count in self._unlogged.items()}
            log.warning("requests_refused", extra=counts)
            self._unlogged.clear()

    async def write(self, entries: AccessEntries) -> None:
        """Add what is not written yet to the store's counts: a command for each status, none where
        nothing was refused. What can't be written is kept for the next time."""
        if not self._writes.is_due():
            return
        counts, self.unwritten = self.unwritten, Counter[int]()
        for status, count in counts.items():
            try:
                await entries.add(str(status), count)
            except StoreError:
                self.unwritten[status] += count
