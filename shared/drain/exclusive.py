"""The lock that lets a suspect run by itself. Otherwise its crash would be blamed on its
neighbours, or theirs on it."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from .waiting import race, wait_for_event

EXCLUSIVE_WAIT = 10.0
"""Seconds for which no job of the process starts, so that a suspect can run by itself."""
REST_FACTOR = 3.0
"""After others waited t seconds for a suspect, no suspect makes them wait for 3·t: others keep
three quarters of the time."""


class SharedExclusiveLock:
    """A readers-writer lock: many shared holders or one exclusive holder; an exclusive waiter goes
    first. Belongs to one event loop.

    `reserved`: True while there is an exclusive holder or waiter: `await wait_shared()` before
    `acquire_shared()`. `candidate`: the hold whose consumer becomes idle for it.
    """

    def __init__(self) -> None:
        self.reserved = False
        self.candidate: ExclusiveHold | None = None
        self._shared, self._others_waited = 0, False
        self._reserved_at = self._rest_end = 0.0
        self._no_shared, self._no_exclusive = asyncio.Event(), asyncio.Event()

    async def wait_shared(self) -> None:
        """Wait until there is neither an exclusive holder nor an exclusive waiter."""
        while self.reserved:
            self._others_waited = True
            await self._no_exclusive.wait()

    def acquire_shared(self) -> None:
        """Become one of the shared holders."""
        self._shared += 1

    def release_shared(self) -> None:
        """End of `acquire_shared`."""
        self._shared -= 1
        if not self._shared:
            self._no_shared.set()

    def rest(self) -> float:
        """Seconds until the shared holders have had their part of the time."""
        return max(0.0, self._rest_end - asyncio.get_running_loop().time())

    def try_acquire_exclusive(self) -> bool:
        """Become the exclusive holder at once, or return False."""
        if self._shared or self.reserved or self.rest():
            return False
        self._reserve()
        return True

    async def acquire_exclusive(self) -> bool:
        """Wait until the rest is over; from then on new shared holders wait, and this waits until
        there is none. False if one holds it for longer than EXCLUSIVE_WAIT."""
        while self.reserved or self.rest():
            if self.reserved:
                await self._no_exclusive.wait()
            else:
                await asyncio.sleep(self.rest())
        self._reserve()
        acquired = False
        try:
            if self._shared:
                self._no_shared.clear()
                await wait_for_event(self._no_shared, EXCLUSIVE_WAIT)
            acquired = not self._shared
        finally:
            if not acquired:
                self._others_waited = True  # its own consumer, which must not try again at once
                self.release_exclusive()
        return acquired

    def release_exclusive(self) -> None:
        """End of `acquire_exclusive`."""
        now = asyncio.get_running_loop().time()
        if self._others_waited:
            self._rest_end = now + REST_FACTOR * (now - self._reserved_at)
        self.reserved = False
        self._no_exclusive.set()

    def _reserve(self) -> None:
        self.reserved, self._others_waited = True, False
        self._reserved_at = asyncio.get_running_loop().time()
        self._no_exclusive.clear()


_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, SharedExclusiveLock] = WeakKeyDictionary()


def process_lock() -> SharedExclusiveLock:
    """The lock of the running event loop: all drains of a process share it, or a suspect would run
    beside the jobs of another drain."""
    return _locks.setdefault(asyncio.get_running_loop(), SharedExclusiveLock())


class ExclusiveHold:
    """One consumer's exclusive hold of the lock.

    Suspects that run exclusively are claimed only while it is held: the store counts each crash
    against those that are leased, also one that another job of the function caused.
    """

    def __init__(self, lock: SharedExclusiveLock) -> None:
        self._lock = lock
        self._held = False

    def try_acquire(self) -> bool:
        """Acquire it if nothing runs. True if it is held now."""
        self._held = self._held or self._lock.try_acquire_exclusive()
        return self._held

    def prepare(self) -> bool:
        """Try to be the next exclusive holder. True if this consumer is: it then claims nothing
        until it is idle."""
        lock = self._lock
        if lock.candidate is None and not lock.reserved and not lock.rest():
            lock.candidate = self
        return lock.candidate is self

    async def acquire(self, interrupt: asyncio.Event, seconds: float) -> bool:
        """Acquire it once the rest is over and nothing runs, unless `interrupt` is set or `seconds`
        pass before. True if it is held now."""
        if not self._held:
            interrupt.clear()
            await race(self._take(), interrupt, seconds)
        if not self._held:
            self.release()
        return self._held

    async def _take(self) -> None:
        self._held = await self._lock.acquire_exclusive()

    def release(self) -> None:
        """Release it, and prepare for it no more. Harmless when it is not held."""
        if self._lock.candidate is self:
            self._lock.candidate = None
        if self._held:
            self._held = False
            self._lock.release_exclusive()
