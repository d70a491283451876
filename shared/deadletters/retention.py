"""The deletion of dead letters that a queue's `dead=Retention(...)` does not keep. A queue without
that declaration keeps them all, and costs nothing here."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ..declare.queue import Queue
from ..errors import StoreError
from ..jobs.ids import local_id
from ..store import Store

log = logging.getLogger("tidegate.drain")

PAGE = 500
"""Most dead letters that are deleted of a queue at a time, the oldest first."""


async def trim_dead_letters(store: Store, queues: Iterable[Queue]) -> None:
    """Delete a page of each queue's surplus, and log how many. A failure of the store is logged:
    the next call goes on."""
    for queue in queues:
        if queue.dead is None:
            continue
        try:
            count = await _trim(store, queue)
        except StoreError as error:
            log.warning("dead_letters_kept", extra={"queue": queue.name, "error": str(error)})
            return
        if count:
            log.warning("dead_letters_deleted", extra={"queue": queue.name, "count": count})


async def _trim(store: Store, queue: Queue) -> int:
    keep, stats = queue.dead, await store.stats(queue)
    number = stats.sizes["dead"]
    if keep is None or number == 0:
        return 0
    first = max(0, number - PAGE)
    oldest = await store.list_jobs(queue, "dead", first=first, most=PAGE)
    until = stats.now_ms - keep.age * 1000
    ids = [
        local_id(row.id)
        for position, row in enumerate(oldest, start=first)
        if position >= keep.count or row.at_ms <= until
    ]
    return sum(await store.delete(queue, ids, state="dead")) if ids else 0
