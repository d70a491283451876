"""The numbers of several queues, read with one script."""

from __future__ import annotations

from collections.abc import Sequence

from ..declare.queue import Queue
from . import keys
from .queue_stats import QueueStats, read_stats
from .scripts import Calls, script
from .split import by_size

MOST_KEYS = 4000
"""Keys of one call. GopherLua, which Upstash runs, unpacks some 5,000 values."""


async def read_overview(
    calls: Calls, queues: Sequence[Queue], *, within: float
) -> dict[str, QueueStats]:
    """Name of the queue -> what `Store.stats` answers, `within` these seconds. A queue that
    is missing has more shards than this process has seen. Raises StoreError."""
    by_name: dict[str, QueueStats] = {}
    overview = script("overview", key_locking=calls.key_locking)
    width = len(keys.PARTS) - 1  # and a key for each shard
    for page in by_size(
        queues,
        lambda queue: width + calls.shards(queue),
        most=MOST_KEYS,
        most_size=MOST_KEYS,
    ):
        names = [key for queue in page for key in _keys(calls, queue)]
        args: list[str | int] = [len(keys.PARTS)]
        for queue in page:
            args += [calls.shards(queue), len(queue.types), *sorted(queue.types)]
        replies = (await overview.send(calls.rest, names, args, within=within)).value
        for queue, reply in zip(page, replies, strict=True):
            stats = read_stats(queue, sorted(queue.types), reply)
            if len(stats.usage) <= calls.shards(queue):
                by_name[queue.name] = stats
    return by_name


def _keys(calls: Calls, queue: Queue) -> list[str]:
    names = (*keys.PARTS, *keys.records(calls.shards(queue))[1:])
    return keys.parts(calls.prefix, queue.name, names)
