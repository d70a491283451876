"""The lag of the archive, for metrics and alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..declare.queue import Queue
from ..store import Store

BEHIND_SECONDS = 2700.0
"""A lag from which on the archive is behind: 15 minutes in Redis are planned, and a run comes every
five."""


async def archive_lag(store: Store, queues: Sequence[Queue]) -> Mapping[str, float]:
    """Queue → seconds since its oldest dead letter died that is not in the archive yet; without
    those that have none. One billed command while none has, else three and one a queue. Raises
    StoreError."""
    oldest = await store.deaths.oldest(queues)
    return {
        name: max(0.0, (oldest.now_ms - at_ms) / 1000) for name, at_ms in oldest.by_queue.items()
    }
