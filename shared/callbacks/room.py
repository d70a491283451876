"""Room for callbacks under way. A receiver that does not answer holds each of its callbacks for ten
seconds; without a bound a drain would do nothing else, and its own work would wait."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakKeyDictionary

from ..errors import Snooze

MOST, MOST_OF_HOST = 32, 8
"""Callbacks under way in one process: in all, and to one host."""
WAIT = 2.0
"""Seconds for which a callback waits for room: receivers that answer make room much sooner."""
AGAIN = (20.0, 60.0)
"""Seconds, from and to, after which one that found none is tried again. No attempt is spent."""


class Room:
    """The callbacks under way of one event loop, by host. Hosts without any are forgotten."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(MOST)
        self._hosts: dict[str, asyncio.Semaphore] = {}
        self._users = Counter[str]()

    @asynccontextmanager
    async def for_call(self, host: str) -> AsyncIterator[None]:
        """Room for the call that the block is. Raises Snooze where there is none within WAIT."""
        places = self._hosts.setdefault(host, asyncio.Semaphore(MOST_OF_HOST))
        self._users[host] += 1
        try:
            async with AsyncExitStack() as held:
                try:
                    async with asyncio.timeout(WAIT):
                        await held.enter_async_context(places)
                        await held.enter_async_context(self._all)
                except TimeoutError:
                    reason = "many callbacks are under way, and their receivers are slow"
                    raise Snooze(random.uniform(*AGAIN), reason) from None  # noqa: S311 - spread
                yield
        finally:
            self._users[host] -= 1
            if not self._users[host]:
                del self._users[host], self._hosts[host]


_ROOMS = WeakKeyDictionary[asyncio.AbstractEventLoop, Room]()


def room() -> Room:
    """That of the running event loop; a process that drains has one loop."""
    return _ROOMS.setdefault(asyncio.get_running_loop(), Room())
