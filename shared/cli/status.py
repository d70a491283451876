"""`tidegate status`: every queue at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .exits import Exit, command
from .opened import opened
from .options import Json, Queues
from .output import as_json, table

if TYPE_CHECKING:
    from ..store.views import QueueStats

COLUMNS = (
    *("queue", "waiting", "delayed", "active", "parked", "dead"),
    *("done", "retried", "avg s", "p95 s", "limit", "paused"),
)


@command
async def status(queues: Queues = None, json: Json = False) -> Exit:
    """Show what is in each queue, what became of its jobs and how long they take."""
    import asyncio

    async with opened() as here:
        found = await asyncio.gather(
            *(here.store.stats(queue) for queue in here.queues(queues)),
        )
    rows = [_row(stats) for stats in found]
    if json:
        as_json({"queues": rows})
    else:
        table(COLUMNS, [_line(row) for row in rows])
    return Exit.OK


def _row(stats: QueueStats) -> dict[str, Any]:
    from ..durations import mean, quantile

    limit = stats.queue.limit
    together = [sum(counts) for counts in zip(*stats.sketches.values(), strict=False)]
    return {
        "queue": stats.queue.name,
        "app": stats.queue.app,
        "paused": stats.paused,
        "waiting": stats.waiting,
        "sizes": stats.sizes,
        "totals": stats.totals,
        "oldest": stats.oldest,
        "concurrency": stats.queue.concurrency,
        "limit": {"rate": limit.rate, "per": limit.per, "burst": limit.burst} if limit else None,
        "tokens": stats.tokens,
        "seconds": {"mean": mean(together), "p95": quantile(together, 0.95)},
    }


def _line(row: dict[str, Any]) -> list[object]:
    sizes, totals, limit = row["sizes"], row["totals"], row["limit"]
    return [
        row["queue"],
        row["waiting"],
        *(sizes[name] for name in ("delayed", "active", "parked", "dead")),
        *(totals[name] for name in ("done", "retried")),
        *(row["seconds"][name] for name in ("mean", "p95")),
        f"{limit['rate']} per {limit['per']:g} s" if limit else "none",
        row["paused"],
    ]
