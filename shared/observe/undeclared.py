"""Queues that hold jobs and that no application declares: they were renamed in the code, or its
module is not imported any more. No drain comes to them. The agenda names them."""

from __future__ import annotations

from typing import Any

from ..declare.app import App, Registry
from ..store import Store
from ..store.queue_stats import QueueStats
from .describe import STATES


async def read_undeclared(store: Store, registry: Registry) -> list[QueueStats]:
    """Their numbers; one that is empty is left out. One command, and those of `Store.overview` only
    where there are any. Raises StoreError."""
    names = registry.undeclared(await store.agenda())
    if not names:
        return []
    app = App("undeclared")
    stats = await store.overview([app.queue(name) for name in names])
    return [one for one in stats if jobs_of(one)]


def jobs_of(stats: QueueStats) -> int:
    """Everything that such a queue holds: its jobs, ended ones included, and its inbox."""
    return stats.jobs + stats.sizes["inbox"]


def describe_undeclared(stats: QueueStats) -> dict[str, Any]:
    """Such a queue as fields: what the store tells, and none of the numbers of a declaration."""
    sizes = stats.sizes
    return {
        "name": stats.queue.name,
        "paused": stats.paused,
        "jobs": jobs_of(stats),
        "counts": {"waiting": stats.waiting, **{state: sizes[state] for state in STATES[1:]}},
    }
