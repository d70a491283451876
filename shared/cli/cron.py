"""A local cron: starts a drain every so often, as the platform's schedule does with functions."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from ..budget import Budget
from ..connect import current_store, load_registry
from ..drain import Drain
from ..report import Report
from ..settings import Settings
from .output import note


async def tick_until(stop: asyncio.Event, *, every: float) -> None:
    """Tick, at once and then `every` seconds, until `stop` is set; then end what runs in order.

    As with a real cron, a tick does not wait for the one before it.
    """
    settings = Settings.from_env()
    registry = load_registry(settings)
    under_way: dict[asyncio.Task[None], Drain] = {}
    while not stop.is_set():
        drain = Drain(
            current_store(),
            registry,
            Budget.of(settings.max_duration),
            patience=settings.patience,
            batch=settings.batch,
            sweep_every=settings.sweep_every,
        )
        task = asyncio.create_task(_tick(drain))
        under_way[task] = drain
        task.add_done_callback(under_way.pop)
        with suppress(TimeoutError):
            async with asyncio.timeout(every):
                await stop.wait()
    for drain in under_way.values():
        drain.stop("sigterm")
    await asyncio.gather(*under_way)


async def _tick(drain: Drain) -> None:
    report = await drain.tick()
    if report.stop != "idle":
        note(_line(report))


def _line(report: Report) -> str:
    counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.outcomes.items()))
    return (
        f"{time.strftime('%H:%M:%S')} tick: {report.error or counts or 'nothing claimed'} "
        f"({report.stop}; {report.seconds_used:.2f} s, {report.commands:,} billed commands)"
    )
