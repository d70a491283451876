"""`tidegate queues`: pause and resume queues."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command
from .context import open_deployment
from .exit_codes import Exit
from .options import Json
from .output import as_json

app = typer.Typer(no_args_is_help=True, help="Pause and resume queues.")
Names = Annotated[list[str], typer.Argument(metavar="QUEUE…", help="Names of queues.")]


@app.command()
@command
async def pause(queues: Names, json: Json = False) -> Exit:
    """Start no more jobs of these queues. Enqueues go on, and running jobs end as usual."""
    return await _set(queues, json=json, paused=True)


@app.command()
@command
async def resume(queues: Names, json: Json = False) -> Exit:
    """Start jobs of these queues again."""
    return await _set(queues, json=json, paused=False)


async def _set(names: list[str], *, json: bool, paused: bool) -> Exit:
    async with open_deployment() as deployment:
        rows = [
            {
                "queue": queue.name,
                "paused": paused,
                "was_paused": await deployment.store.pause(queue, paused=paused),
            }
            for queue in deployment.queues(names)
        ]
    if json:
        as_json({"queues": rows})
        return Exit.OK
    for row in rows:
        already = " already" if row["was_paused"] is paused else ""
        print(f"{row['queue']} is{already} {'paused' if paused else 'running'}")
    return Exit.OK
