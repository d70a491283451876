"""`tidegate status`: the numbers of every queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .command import command
from .context import open_deployment
from .exit_codes import Exit
from .options import Json, Queues
from .output import as_json, table

if TYPE_CHECKING:
    from ..store.queue_stats import QueueStats

COLUMNS = (
    *("queue", "waiting", "delayed", "active", "parked", "dead"),
    *("done", "retried", "avg s", "p95 s", "limit", "paused"),
)
UNDECLARED = (
    *("queue that no application declares", "jobs", "waiting", "delayed", "active", "parked"),
    *("completed", "cancelled", "dead"),
)


@command
async def status(queues: Queues = None, json: Json = False) -> Exit:
    """Show the jobs of each queue by state, its outcomes and its durations, and queues with jobs
    that no application declares."""
    from ..observe.describe import describe_queue
    from ..observe.undeclared import describe_undeclared, read_undeclared

    async with open_deployment() as deployment:
        store = deployment.store
        stats = await store.overview(deployment.queues(queues or ()))
        others = [] if queues else await read_undeclared(store, deployment.registry)
    undeclared = [describe_undeclared(one) for one in others]
    if json:
        as_json({"queues": [describe_queue(one) for one in stats], "undeclared": undeclared})
        return Exit.OK
    table(COLUMNS, [_line(one) for one in stats])
    if undeclared:
        print()
        table(
            UNDECLARED, [[one["name"], one["jobs"], *one["counts"].values()] for one in undeclared]
        )
    return Exit.OK


def _line(stats: QueueStats) -> list[object]:
    """A row of the table. Durations are those of all job types of the queue together."""
    from ..observe.describe import describe_queue

    limit, durations = stats.queue.limit, describe_queue(stats)["durations"]
    return [
        stats.queue.name,
        stats.waiting,
        *(stats.sizes[name] for name in ("delayed", "active", "parked", "dead")),
        *(stats.totals[name] for name in ("done", "retried")),
        *(durations["average"], durations["p95"]),
        f"{limit.rate} per {limit.per:g} s" if limit else "none",
        stats.paused,
    ]
