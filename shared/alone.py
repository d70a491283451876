"""One process, many running jobs, and now and then one that must run alone: a suspect whose crash
would otherwise be blamed on its neighbours (or theirs on it)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Alone:
    """Many at once (`together`) or exactly one (`exclusive`); whoever waits to be alone goes
    first."""

    def __init__(self) -> None:
        self._running = 0
        self._claimed = False
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Run beside others, not beside one that is alone."""
        if self._claimed:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._claimed)
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if self._claimed:
                async with self._changed:
                    self._changed.notify_all()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Wait until nothing runs, keep everything else waiting."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._claimed)
            self._claimed = True
            try:
                await self._changed.wait_for(lambda: self._running == 0)
            except BaseException:
                self._claimed = False
                self._changed.notify_all()
                raise
        try:
            yield
        finally:
            async with self._changed:
                self._claimed = False
                self._changed.notify_all()
