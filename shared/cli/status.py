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


@command
async def status(queues: Queues = None, json: Json = False) -> Exit:
    """Show the jobs of each queue by state, its outcomes and its durations."""
    from ..observe.describe import describe_queue

    async with open_deployment() as deployment:
        stats = await deployment.store.overview(deployment.queues(queues or ()))
    if json:
        as_json({"queues": [describe_queue(one) for one in stats]})
    else:
        table(COLUMNS, [_line(one) for one in stats])
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
