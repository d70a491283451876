"""Slots: how many jobs of a kind may run at a time in one drain."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from .waiting import wait_for_event


class Slots:
    """Slots are reserved before the jobs that need them are claimed. Belongs to one event loop."""

    def __init__(self, slots: int) -> None:
        self.free = slots
        self._freed = asyncio.Event()

    def reserve(self, wanted: int) -> int:
        """Take up to `wanted` free slots; answers how many."""
        slots = min(wanted, self.free)
        self.free -= slots
        return slots

    def release(self, slots: int = 1) -> None:
        """Give slots back, once their jobs have ended."""
        self.free += slots
        self._freed.set()

    def interrupt(self) -> None:
        """End the waits for a slot that are under way."""
        self._freed.set()

    async def wait_free(self, seconds: float) -> None:
        """Wait until a slot may be free, at most `seconds`."""
        self._freed.clear()
        if not self.free:
            await wait_for_event(self._freed, seconds)


async def wait_for_slot(kinds: Sequence[Slots], seconds: float) -> bool:
    """Wait, at most so long, for a slot of a kind that has none; False where each has one."""
    taken = next((slots for slots in kinds if not slots.free), None)
    if taken is not None:
        await taken.wait_free(seconds)
    return taken is not None
