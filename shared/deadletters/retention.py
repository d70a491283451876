"""The deletion of dead letters that a queue's `dead=Retention(...)` does not keep. A queue without
that declaration keeps them all, and costs nothing here."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable

from ..declare.policy import Retention
from ..declare.queue import Queue
from ..errors import STORE_DOWN, StoreError
from ..jobs.ids import local_id
from ..store import Store
from ..store.sweeps import HOUR

log = logging.getLogger("tidegate.drain")

PAGE = 500
"""Dead letters that are read and deleted in two requests, the oldest first."""


async def trim_dead_letters(store: Store, queues: Iterable[Queue], *, seconds: float) -> None:
    """Delete each queue's surplus, and log how many. No page begins after `seconds`. A failure is
    logged, and holds up no other queue: the next call goes on. Where the store is down, it ends."""
    end = store.clock.monotonic() + seconds
    for queue in queues:
        if queue.dead is None:
            continue
        count, trouble = 0, None
        try:
            async for deleted in _pages(store, queue, queue.dead):
                count += deleted
                if store.clock.monotonic() >= end:
                    break
        except StoreError as error:
            trouble = error
        if count:
            log.warning("dead_letters_deleted", extra={"queue": queue.name, "count": count})
        if trouble is not None:
            log.warning("dead_letters_kept", extra={"queue": queue.name, "error": str(trouble)})
        if isinstance(trouble, STORE_DOWN) or store.clock.monotonic() >= end:
            return


async def _are_in_order(store: Store, queue: Queue, now_ms: int) -> bool:
    """False until turns have brought back all letters of a time to which the store's clock had
    jumped: they seem to be the youngest (lua/lib/resync.lua)."""
    newest = await store.list_jobs(queue, "dead", first=0, most=1)
    return all(row.at_ms <= now_ms + HOUR for row in newest)


async def _pages(store: Store, queue: Queue, keep: Retention) -> AsyncIterator[int]:
    """Delete page after page, up to the first dead letter that is kept; how many of each. What dies
    meanwhile shifts the positions, so a few may stay until the next call."""
    stats = await store.stats(queue)
    oldest, first = stats.now_ms - keep.age * 1000, stats.sizes["dead"]
    in_order = first <= keep.count or await _are_in_order(store, queue, stats.now_ms)
    is_last = False
    while first > 0 and not is_last:
        first = max(0, first - PAGE)
        page = await store.list_jobs(queue, "dead", first=first, most=PAGE)
        ids = [
            local_id(row.id)
            for position, row in enumerate(page, start=first)
            if (position >= keep.count and in_order) or row.at_ms <= oldest
        ]
        is_last = len(ids) < len(page)
        yield sum(await store.delete(queue, ids, state="dead")) if ids else 0
