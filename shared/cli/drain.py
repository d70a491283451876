"""`tidegate drain`: run what waits, here and now, as a function would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .context import open_deployment
from .exit_codes import Exit, command
from .options import Json, Queues
from .output import as_json, note, table

if TYPE_CHECKING:
    from ..deployment import Deployment
    from ..drain.report import Report


@command
async def drain(
    queues: Queues = None,
    budget: Annotated[
        float, typer.Option(min=1.0, max=3600.0, help="Seconds to end within.")
    ] = 60.0,
    json: Json = False,
) -> Exit:
    """Drain these queues, or all of them, until they are empty, held back, or time is up.

    Ctrl-C and SIGTERM give back what runs.
    """
    async with open_deployment() as deployment:
        report = await _drain(deployment, queues, budget)
    if json:
        as_json(report.as_dict())
    else:
        _show(report)
    if report.error:
        note(f"tidegate: {report.error}")
        return Exit.STORE
    return Exit.OK


async def _drain(deployment: Deployment, names: list[str] | None, seconds: float) -> Report:
    import asyncio
    import signal

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, deployment.stop)
    try:
        return await deployment.drain(deployment.budget(seconds), deployment.queues(names or ()))
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _show(report: Report) -> None:
    from ..jobs.outcome import PAST

    outcomes = list(PAST.values())
    rows = [
        [
            consumer.queue,
            consumer.stop,
            consumer.claimed,
            *(consumer.outcomes.get(kind, 0) for kind in outcomes),
        ]
        for consumer in report.queues
    ]
    table(("queue", "stopped", "claimed", *outcomes), rows)
    note(
        f"{report.seconds_used:.2f} s used, {report.seconds_left:.1f} s left; "
        f"{report.requests:,} requests, {report.commands:,} billed commands"
    )
