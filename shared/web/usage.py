"""The billed commands of an API's process, for the alert on those of the month. Drains count their
own (store/counters.py), so what runs inside one is left out here."""

from __future__ import annotations

import math

from ..deployment import Deployment
from ..errors import StoreError

EVERY_SECONDS = 60.0


class ApiUsage:
    """What one process has used. It writes at most once a minute, with a request that was let
    through. What it has not written goes with the process."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._written, self._written_at = 0, -math.inf

    async def write(self) -> None:
        """Add what is not written yet to the store's count: one command."""
        deployment = self._deployment
        now = deployment.clock.monotonic()
        if now - self._written_at < EVERY_SECONDS:
            return
        self._written_at = now
        used = deployment.store.meter.commands - deployment.drained
        try:
            await deployment.store.access.add("commands", used - self._written)
        except StoreError:
            return  # the next time
        self._written = used
