"""`tidegate drain`: run what waits, here and now, as a function would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .exits import Exit, command
from .opened import Opened, opened
from .options import Json, Queues
from .output import as_json, note, table

if TYPE_CHECKING:
    from ..report import Report

KINDS = ("done", "retry", "dead", "release", "snooze", "park", "cancelled")


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
    async with opened() as here:
        report = await _drained(here, queues, budget)
    if json:
        as_json(report.as_dict())
    else:
        _show(report)
    if report.error:
        note(f"tidegate: {report.error}")
        return Exit.STORE
    return Exit.OK


async def _drained(here: Opened, names: list[str] | None, seconds: float) -> Report:
    import asyncio
    import signal
    from functools import partial

    from ..budget import Budget
    from ..drain import Drain

    settings = here.settings
    found = Drain(
        here.store,
        here.registry,
        Budget.of(seconds),
        patience=settings.patience,
        batch=settings.batch,
    )
    loop = asyncio.get_running_loop()
    for number, reason in ((signal.SIGINT, "interrupted"), (signal.SIGTERM, "sigterm")):
        loop.add_signal_handler(number, partial(found.stop, reason))
    try:
        return await found.run(here.queues(names))
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _show(report: Report) -> None:
    rows = [
        [lane.queue, lane.stop, lane.claimed, *(lane.outcomes.get(kind, 0) for kind in KINDS)]
        for lane in report.queues
    ]
    table(("queue", "stopped", "claimed", *KINDS), rows)
    note(
        f"{report.seconds_used:.2f} s used, {report.seconds_left:.1f} s left; "
        f"{report.requests:,} requests, {report.commands:,} billed commands"
    )
