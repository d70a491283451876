"""The lag of the archive: how long dead letters wait for it. Measured by each run of maintain, and
kept beside the queues' numbers, where metrics find it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..declare.queue import Queue
from ..store import Store
from ..store.deaths import OldestDeaths

BEHIND_SECONDS = 2700.0
"""A lag from which on the archive is behind: 15 minutes in Redis are planned, and a run comes every
five."""


async def archive_lag(store: Store, queues: Sequence[Queue]) -> Mapping[str, float]:
    """Queue → seconds since its oldest dead letter died that is not in the archive yet; without
    those that have none. One billed command while none has, else three and one a queue. Raises
    StoreError."""
    return lags(await store.deaths.oldest(queues))


def lags(oldest: OldestDeaths) -> Mapping[str, float]:
    """The same of what was read before."""
    return {
        name: max(0.0, (oldest.now_ms - at_ms) / 1000) for name, at_ms in oldest.by_queue.items()
    }


async def keep_oldest(
    store: Store, queues: Sequence[Queue], kept: Mapping[str, int], oldest: Mapping[str, int]
) -> None:
    """Keep since when the oldest dead letter of each queue waits, for metrics. `kept`: what is kept
    now. A command for each queue where that has changed, none for any other. Raises StoreError."""
    for queue in queues:
        instant = oldest.get(queue.name)
        if instant != kept.get(queue.name):
            await store.deaths.keep_oldest(queue, instant)
