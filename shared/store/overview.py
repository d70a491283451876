"""The numbers of several queues, read with one script."""

from __future__ import annotations

from collections.abc import Sequence

from ..declare.queue import Queue
from . import keys
from .scripts import Calls, script
from .views import QueueStats, read_stats


async def read_overview(
    calls: Calls, queues: Sequence[Queue], *, within: float
) -> list[QueueStats]:
    """What `Store.stats` tells, for each of these queues, within so many seconds. Raises
    StoreError."""
    if not queues:
        return []
    types = [sorted(queue.types) for queue in queues]
    names = [key for queue in queues for key in keys.parts(calls.prefix, queue.name, keys.PARTS)]
    args: list[str | int] = [len(keys.PARTS)]
    for one in types:
        args += [len(one), *one]
    overview = script("overview", key_locking=calls.key_locking)
    replies = await overview.run(calls.rest, names, args, within=within)
    return [read_stats(*one) for one in zip(queues, types, replies, strict=True)]
