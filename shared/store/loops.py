"""One store per event loop, because open connections can't move between loops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from .store import Store


class LoopStores:
    """The stores of this process by event loop. `get` opens one when a loop has none, and closes
    those whose loop is closed: each `asyncio.run` has a loop of its own."""

    def __init__(self, open_store: Callable[[], Store]) -> None:
        self._open = open_store
        self._stores: dict[asyncio.AbstractEventLoop, Store] = {}
        self._lock = threading.Lock()  # loops run in threads

    def get(self) -> Store:
        """The store of the running event loop, opened on first use."""
        loop = asyncio.get_running_loop()
        store = self._stores.get(loop)
        if store is None:
            with self._lock:
                self._close_orphans()
                store = self._stores[loop] = self._open()
        return store

    async def close(self) -> None:
        """Close the store of the running event loop, if it has one."""
        store = self._stores.pop(asyncio.get_running_loop(), None)
        if store is not None:
            await store.close()

    def _close_orphans(self) -> None:
        for loop in [loop for loop in self._stores if loop.is_closed()]:
            self._stores.pop(loop).abort()
