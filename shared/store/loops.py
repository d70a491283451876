"""One client per event loop, because open connections can't move between loops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """What is kept per loop: a store or a client."""

    async def close(self) -> None:
        """Close the connections."""

    def abort(self) -> None:
        """Close the connections without their event loop, which is closed."""


C = TypeVar("C", bound=Closable)


class PerLoop(Generic[C]):
    """The clients of this process by event loop. `get` opens one when a loop has none, and closes
    those whose loop is closed: each `asyncio.run` has a loop of its own."""

    def __init__(self, open_client: Callable[[], C]) -> None:
        self._open = open_client
        self._clients: dict[asyncio.AbstractEventLoop, C] = {}
        self._lock = threading.Lock()  # loops run in threads

    def get(self) -> C:
        """The client of the running event loop, opened on first use."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            with self._lock:
                self._close_orphans()
                client = self._clients[loop] = self._open()
        return client

    async def close(self) -> None:
        """Close the client of the running event loop, if it has one."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()

    def _close_orphans(self) -> None:
        for loop in [loop for loop in self._clients if loop.is_closed()]:
            self._clients.pop(loop).abort()
