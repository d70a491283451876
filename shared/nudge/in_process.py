"""Nudges on a developer's machine: the process that serves the API runs the drains too."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence


class InProcessNudge:
    """A box of queues to drain, which the loop of the ticks empties. Belongs to one event loop."""

    def __init__(self) -> None:
        self._queues: dict[str, None] = {}
        self._called = asyncio.Event()

    async def call(self, queues: Sequence[str], hops: int) -> None:  # noqa: ARG002 - no platform cuts a chain here
        self._queues |= dict.fromkeys(queues)
        self._called.set()

    async def wait(self) -> None:
        """Wait until a queue is to be drained."""
        await self._called.wait()

    def take(self) -> list[str]:
        """The queues to drain, which leave the box."""
        names = list(self._queues)
        self._queues.clear()
        self._called.clear()
        return names

    async def close(self) -> None:
        """Nothing is open."""
