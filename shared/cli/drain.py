"""`tidegate drain`: one drain in this process, as a function would run it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .command import command
from .context import open_deployment
from .exit_codes import Exit
from .options import Json, Queues
from .output import as_json, note, table
from .signals import stop_signals

if TYPE_CHECKING:
    from ..drain.report import Report


@command
async def drain(
    queues: Queues = None,
    budget: Annotated[
        float, typer.Option(min=1.0, max=3600.0, help="Seconds until the drain has ended.")
    ] = 60.0,
    json: Json = False,
) -> Exit:
    """Drain these queues, or all of them, until they are empty, held back, or time is up.

    Ctrl-C and SIGTERM release the running jobs; the exit code is 130 or 143 then.
    """
    async with open_deployment() as deployment:
        with stop_signals(deployment.stop) as stopped:
            report = await deployment.drain(
                deployment.budget(budget), deployment.queues(queues or ())
            )
    if json:
        as_json(report.as_dict())
    else:
        _show(report)
    if report.error:
        note(f"tidegate: {report.error}")
        return Exit.STORE
    if stopped.exit:
        note("tidegate: interrupted; jobs that ran were released, no attempt is spent")
    return stopped.exit


def _show(report: Report) -> None:
    from ..jobs.outcome import PAST

    outcomes = list(PAST.values())
    rows = [
        [name, one["stop"], one["claimed"], *(one.get(outcome, 0) for outcome in outcomes)]
        for name, one in report.by_queue.items()
    ]
    table(("queue", "stopped", "claimed", *outcomes), rows)
    note(
        f"{report.seconds_used:.2f} s used, {report.seconds_left:.1f} s left; "
        f"{report.requests:,} requests, {report.commands:,} billed commands"
    )
