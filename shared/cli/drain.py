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
    from ..deployment import Deployment
    from ..drain.report import Report


@command
async def drain(
    queues: Queues = None,
    seconds: Annotated[
        float,
        typer.Option("--budget", min=1.0, max=3600.0, help="Seconds until the drain has ended."),
    ] = 60.0,
    json: Json = False,
) -> Exit:
    """Drain these queues until they are empty, held back, or time is up. Without names it is a
    tick: it enqueues what schedules have due, and drains all queues.

    Ctrl-C and SIGTERM release the running jobs; the exit code is 130 or 143 then.
    """
    undeclared: list[str] = []
    async with open_deployment() as deployment:
        with stop_signals(deployment.stop) as stopped:
            budget = deployment.budget(seconds)
            if not queues:
                undeclared = await _look_at_agenda(deployment)
            report = await deployment.drain(budget, deployment.queues(queues or ()))
    if json:
        as_json({**report.as_dict(), **({"undeclared": undeclared} if undeclared else {})})
    else:
        _show(report)
    if undeclared:
        note(f"tidegate: no application declares what is due: {', '.join(undeclared)}")
    failed = _show_failure(report)
    if failed is not None:
        return failed
    if stopped.exit:
        note("tidegate: interrupted; jobs that ran were released, no attempt is spent")
    return stopped.exit


async def _look_at_agenda(deployment: Deployment) -> list[str]:
    """Fire what schedules have due; the queues that are due and that no application declares."""
    from ..schedules.by_hand import fire_by_hand

    store, registry = deployment.store, deployment.registry
    agenda = await store.agenda()
    await fire_by_hand(store, registry, agenda)
    now = deployment.clock.epoch_ms()
    return registry.undeclared(name for name, instant in agenda.items() if instant <= now)


def _show_failure(report: Report) -> Exit | None:
    """Say what failed; the exit code for it."""
    if report.stop == "store":
        note(f"tidegate: {report.error}")
        return Exit.STORE
    if report.stop == "error":
        note(
            f"tidegate: a bug ended a part of the drain: {report.error}. Report it, with the "
            "traceback in the log; the other queues went on"
        )
        return Exit.FAILED
    return None


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
