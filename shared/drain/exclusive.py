"""The lock that lets a suspect run by itself. Otherwise its crash would be blamed on its
neighbours, or theirs on it."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from .waiting import race


class SharedExclusiveLock:
    """A readers-writer lock: many shared holders or one exclusive holder; an exclusive waiter goes
    first. Belongs to one event loop."""

    def __init__(self) -> None:
        self._shared = 0
        self._no_shared, self._no_exclusive = asyncio.Event(), asyncio.Event()
        self._no_shared.set()
        self._no_exclusive.set()

    @property
    def reserved(self) -> bool:
        """True while there is an exclusive holder or waiter: `await wait_shared()` before
        `acquire_shared()`."""
        return not self._no_exclusive.is_set()

    async def wait_shared(self) -> None:
        """Wait until there is neither an exclusive holder nor an exclusive waiter."""
        while self.reserved:
            await self._no_exclusive.wait()

    def acquire_shared(self) -> None:
        """Become one of the shared holders."""
        self._shared += 1
        self._no_shared.clear()

    def release_shared(self) -> None:
        """End of `acquire_shared`."""
        self._shared -= 1
        if not self._shared:
            self._no_shared.set()

    def try_acquire_exclusive(self) -> bool:
        """Become the exclusive holder at once, or return False."""
        if self._shared or self.reserved:
            return False
        self._no_exclusive.clear()
        return True

    async def acquire_exclusive(self) -> None:
        """Wait until there is no holder; new shared holders wait from now on."""
        await self.wait_shared()
        self._no_exclusive.clear()
        try:
            while self._shared:
                await self._no_shared.wait()
        except BaseException:
            self.release_exclusive()
            raise

    def release_exclusive(self) -> None:
        """End of `acquire_exclusive`."""
        self._no_exclusive.set()


_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, SharedExclusiveLock] = WeakKeyDictionary()


def process_lock() -> SharedExclusiveLock:
    """The lock of the running event loop: all drains of a process share it, or a suspect would run
    beside the jobs of another drain."""
    return _locks.setdefault(asyncio.get_running_loop(), SharedExclusiveLock())


class ExclusiveHold:
    """One consumer's exclusive hold of the lock.

    Suspects are claimed only while it is held. Otherwise a crash caused by a neighbour would be
    counted against a suspect that was still waiting.
    """

    def __init__(self, lock: SharedExclusiveLock) -> None:
        self._lock = lock
        self._held = False

    def try_acquire(self) -> bool:
        """Acquire it if nothing runs. True if it is held now."""
        self._held = self._held or self._lock.try_acquire_exclusive()
        return self._held

    async def acquire(self, interrupt: asyncio.Event, seconds: float) -> bool:
        """Acquire it once nothing runs, unless `interrupt` is set or `seconds` pass before. True if
        it is held now."""
        if not self._held:
            interrupt.clear()
            self._held = await race(self._lock.acquire_exclusive(), interrupt, seconds)
        return self._held

    def release(self) -> None:
        """Release it. Harmless when it is not held."""
        if self._held:
            self._held = False
            self._lock.release_exclusive()
