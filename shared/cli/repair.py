"""`tidegate repair`: compare the jobs of queues with their places, and repair what differs."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from .audited import audited
from .command import command
from .context import open_deployment
from .exit_codes import Exit
from .options import DryRun, Json, Queues
from .output import as_json, table

if TYPE_CHECKING:
    from ..store.repair import Repairs

COLUMNS = ("queue", "jobs", "requeued", "restored", "removed", "counts")


@command
async def repair(queues: Queues = None, dry_run: DryRun = False, json: Json = False) -> Exit:
    """Find jobs that no list names, and ids without a job, and put them right.

    Functions may go on meanwhile; a running job is left alone. Costs a request for 200 jobs. With
    --dry-run it ends with exit code 1 if something is wrong.
    """
    from dataclasses import asdict

    from ..store.repair import repair as repair_queue

    async with open_deployment() as deployment:
        chosen = deployment.queues(queues or ())
        names = ", ".join(queue.name for queue in chosen)
        async with (
            nullcontext() if dry_run else audited(deployment, "queues.repair", names) as audit
        ):
            results = [
                await repair_queue(deployment.store, queue, dry_run=dry_run) for queue in chosen
            ]
            if audit is not None:
                audit.count = sum(one.requeued + one.restored + one.removed for one in results)
    if json:
        as_json({"queues": [asdict(one) for one in results]})
    else:
        table(COLUMNS, [_line(one) for one in results])
    sound = all(one.is_sound for one in results)
    return Exit.OK if sound or not dry_run else Exit.FAILED


def _line(repairs: Repairs) -> list[object]:
    counts = "right"
    if repairs.recounted:
        counts = "wrong" if repairs.dry_run else "recounted"
    return [
        *(repairs.queue, repairs.jobs, repairs.requeued),
        *(repairs.restored, repairs.removed, counts),
    ]
