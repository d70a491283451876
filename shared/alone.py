"""One process, many running jobs, and now and then one that must run alone: a suspect whose crash
would otherwise be blamed on its neighbours (or theirs on it)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Alone:
    """Many at once (`enter` … `leave`) or exactly one (`exclusive`); who waits to be alone goes
    first."""

    def __init__(self) -> None:
        self._running = 0
        self._taken = False
        self._changed = asyncio.Condition()

    @property
    def taken(self) -> bool:
        """Does somebody run alone, or wait to? Then `await wait_turn()` before `enter()`."""
        return self._taken

    async def wait_turn(self) -> None:
        """Wait until nobody runs alone or wants to."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._taken)

    def enter(self) -> None:
        """Count as running beside others."""
        self._running += 1

    async def leave(self) -> None:
        """End of `enter`."""
        self._running -= 1
        if self._taken:
            await self._notify()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Wait until nothing runs, keep everything else waiting."""
        await self.wait_turn()
        self._taken = True
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: self._running == 0)
            yield
        finally:
            self._taken = False
            await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()
