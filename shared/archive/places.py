"""Places for the archive's connections. A function serves many requests at once, and Postgres has
few connections, which the owner's own applications need too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from ..errors import ArchiveError

MOST = 4
"""Connections of requests that one process has at a time."""
WAIT = 2.0
"""Seconds for which a request waits for one."""
_PLACES: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


@asynccontextmanager
async def place() -> AsyncIterator[None]:
    """A place for the block. Raises ArchiveError where none gets free in time."""
    places = _PLACES.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(MOST))
    try:
        async with asyncio.timeout(WAIT):
            await places.acquire()
    except TimeoutError:
        raise ArchiveError(f"all {MOST} connections of this process are in use") from None
    try:
        yield
    finally:
        places.release()
