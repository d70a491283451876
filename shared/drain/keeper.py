"""The keeper: a thread that prolongs leases while the event loop stands still.

A handler that computes in an `async def` stops the loop, so no turn can be sent. The leases of all
running jobs would expire under a living process, and the jobs would run a second time.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..declare.queue import Queue
from ..errors import StoreError
from ..store import Store

log = logging.getLogger("tidegate.drain")

EVERY = 0.5
"""Seconds between beats. A time for which the loop stood still is told up to this much too long."""
BLOCKED = 5.0
"""Seconds beyond which the loop counts as blocked."""
PROLONG_AFTER, PROLONG_EVERY = 10.0, 5.0
"""Seconds of a blocked loop after which leases are looked at for the first time, and each time."""
LATE = 20.0
"""Seconds without a turn after which leases are prolonged from the thread."""


class WatchedConsumer(NamedTuple):
    """What the keeper asks of one consumer: its queue, its open leases, the time (monotonic) of its
    last turn, and how long a lease is now."""

    queue: Queue
    leases: Callable[[], Sequence[str]]
    turned_at: Callable[[], float]
    lease_ms: Callable[[], int]


class Keeper:
    """Belongs to one drain. `open_store` makes a store for the thread's own event loop; None where
    the store lives in this process and stands still as well."""

    def __init__(self, open_store: Callable[[], Store] | None) -> None:
        self._open_store = open_store
        self._watched: list[WatchedConsumer] = []
        self._ended = threading.Event()
        self._beat = time.monotonic()
        self._thread: threading.Thread | None = None
        self._told = False  # that the loop stands still now
        self.longest_lag = 0.0

    def watch(self, watched: WatchedConsumer) -> None:
        """Watch this consumer. The first one starts the thread: an idle tick needs none."""
        self._watched.append(watched)
        if self._thread is None:
            self._beat = time.monotonic()
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(
                target=self._run, args=(loop,), name="keeper", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        look_after = PROLONG_AFTER
        while not self._ended.wait(EVERY):
            stands = time.monotonic() - self._beat
            if stands > BLOCKED and not self._told:
                self._tell(stands)  # now: the host may kill the process before the loop runs again
            if stands > look_after:
                self._prolong()
                look_after = stands + PROLONG_EVERY
            elif stands < BLOCKED:
                look_after = PROLONG_AFTER
            try:
                loop.call_soon_threadsafe(self._mark)
            except RuntimeError:  # the loop has been closed
                return

    def _mark(self) -> None:
        """The loop runs. If it has stood still, that time is over, and its length known."""
        stood = time.monotonic() - self._beat
        if stood > BLOCKED:
            self._tell(stood)
        self._beat, self._told = time.monotonic(), False

    def _tell(self, seconds: float) -> None:
        self._told = True
        self.longest_lag = max(self.longest_lag, seconds)
        queues = sorted({watched.queue.name for watched in self._watched if watched.leases()})
        log.warning("loop_blocked", extra={"seconds": round(seconds, 1), "queues": queues})

    def _prolong(self) -> None:
        late = [one for one in self._watched if time.monotonic() - one.turned_at() > LATE]
        if late and self._open_store is not None:
            asyncio.run(self.send(self._open_store(), late))

    async def send(self, store: Store, late: Sequence[WatchedConsumer]) -> None:
        """Prolong the leases of these consumers. Closes the store."""
        for one in late:
            try:
                await store.prolong(one.queue, list(one.leases()), one.lease_ms())
            except StoreError as error:  # of this queue alone
                extra = {"queue": one.queue.name, "error": str(error)}
                log.warning("keeper_store_error", extra=extra)
        await store.close()
