"""One process, many running jobs, and now and then one that must run alone: a suspect whose crash
would otherwise be blamed on its neighbours (or theirs on it)."""

from __future__ import annotations

import asyncio

from .waiting import unless


class Alone:
    """Many at once (`enter` … `leave`) or exactly one (`take` … `release`); who waits to be alone
    goes first."""

    def __init__(self) -> None:
        self._running = 0
        self._nobody, self._free = asyncio.Event(), asyncio.Event()
        self._nobody.set()
        self._free.set()

    @property
    def taken(self) -> bool:
        """Is somebody alone, or waiting to be? Then `await wait_turn()` before `enter()`."""
        return not self._free.is_set()

    async def wait_turn(self) -> None:
        """Wait until nobody is alone or wants to be."""
        while self.taken:
            await self._free.wait()

    def enter(self) -> None:
        """Count as running beside others."""
        self._running += 1
        self._nobody.clear()

    def leave(self) -> None:
        """End of `enter`."""
        self._running -= 1
        if not self._running:
            self._nobody.set()

    def try_take(self) -> bool:
        """Be alone at once, or say that something runs."""
        if self._running or self.taken:
            return False
        self._free.clear()
        return True

    async def take(self) -> None:
        """Wait until nothing runs; from now on keep everything else waiting."""
        await self.wait_turn()
        self._free.clear()
        try:
            while self._running:
                await self._nobody.wait()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """End of `take`."""
        self._free.set()


class Seat:
    """One lane's right to be alone. A suspect is only asked for while it is held: a function that
    crashed for another's sake would be blamed on the suspect that merely waited."""

    def __init__(self, alone: Alone) -> None:
        self._alone = alone
        self._held = False

    def taken(self) -> bool:
        """Take it if nothing runs; is it held now?"""
        self._held = self._held or self._alone.try_take()
        return self._held

    async def wait(self, interrupt: asyncio.Event, seconds: float) -> None:
        """Take it when nothing runs any more, unless interrupted before, for at most `seconds`."""
        if not self._held:
            interrupt.clear()
            self._held = await unless(interrupt, self._alone.take(), seconds)

    def leave(self) -> None:
        """Give it back; harmless when it is not held."""
        if self._held:
            self._held = False
            self._alone.release()
