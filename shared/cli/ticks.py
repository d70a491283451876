"""A local cron: starts drains at an interval, as a platform's schedule does."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from ..deployment import Deployment
from ..drain.report import Report, StopReason
from .output import note


async def tick_until(deployment: Deployment, stop: asyncio.Event, *, every: float) -> None:
    """Tick at once and every `every` seconds until `stop` is set; then stop the drains in order.

    As with a real cron, a tick does not wait for the one before it.
    """
    ticks: set[asyncio.Task[None]] = set()
    while not stop.is_set():
        task = asyncio.create_task(_tick(deployment))
        ticks.add(task)
        task.add_done_callback(ticks.discard)
        with suppress(TimeoutError):
            async with asyncio.timeout(every):
                await stop.wait()
    deployment.stop()
    await asyncio.gather(*ticks)


async def _tick(deployment: Deployment) -> None:
    report = await deployment.drain(deployment.budget(deployment.settings.max_duration))
    if report.stop is not StopReason.IDLE:
        note(_line(report))


def _line(report: Report) -> str:
    counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.outcomes.items()))
    return (
        f"{time.strftime('%H:%M:%S')} tick: {report.error or counts or 'nothing claimed'} "
        f"({report.stop}; {report.seconds_used:.2f} s, {report.commands:,} billed commands)"
    )
