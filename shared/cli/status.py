"""`tidegate status`: every queue at a glance."""

from __future__ import annotations

from typing import Any

from .context import open_deployment
from .exit_codes import Exit, command
from .options import Json, Queues
from .output import as_json, table

COLUMNS = (
    *("queue", "waiting", "delayed", "active", "parked", "dead"),
    *("done", "retried", "limit", "paused"),
)


@command
async def status(queues: Queues = None, json: Json = False) -> Exit:
    """Show what is in each queue, what became of its jobs and how long they take."""
    import asyncio

    from ..observe.describe import describe_queue

    async with open_deployment() as deployment:
        stats = await asyncio.gather(
            *(deployment.store.stats(queue) for queue in deployment.queues(queues or ())),
        )
    rows = [describe_queue(one) for one in stats]
    if json:
        as_json({"queues": rows})
    else:
        table(COLUMNS, [_line(row) for row in rows])
    return Exit.OK


def _line(queue: dict[str, Any]) -> list[object]:
    counts, totals, limit = queue["counts"], queue["totals"], queue["limit"]
    return [
        queue["name"],
        *(counts[name] for name in ("waiting", "delayed", "active", "parked", "dead")),
        *(totals[name] for name in ("done", "retried")),
        f"{limit['rate']} per {limit['per']:g} s" if limit else "none",
        queue["paused"],
    ]
