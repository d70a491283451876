"""The demo's cron: calls the deployed route every second, as a platform's scheduler would."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from .stage import Stage

EVERY = 1.0
NOT_COUNTS = ("stop", "claimed", "turns")


@dataclass(slots=True)
class Ticks:
    """The reports of all ticks so far."""

    reports: list[dict[str, Any]] = field(default_factory=list)

    def outcomes(self) -> dict[str, Counter[str]]:
        """Queue -> how often each outcome was settled."""
        found: dict[str, Counter[str]] = {}
        for report in self.reports:
            for name, lane in report["queues"].items():
                counts = {kind: n for kind, n in lane.items() if kind not in NOT_COUNTS}
                found.setdefault(name, Counter()).update(counts)
        return found


@asynccontextmanager
async def ticking(stage: Stage) -> AsyncIterator[Ticks]:
    """Ticks during the block, one after the other; the last one has ended when the block has."""
    ticks, enough = Ticks(), asyncio.Event()
    cron = asyncio.create_task(_run(stage, ticks, enough))
    try:
        yield ticks
        enough.set()
        await cron
    finally:
        cron.cancel()


async def tick(stage: Stage) -> dict[str, Any]:
    """One call of the deployed route; its report."""
    headers = {"Authorization": f"Bearer {stage.cron_secret}"}
    report: dict[str, Any] = await stage.ask("POST", "/api/cron/drain", headers=headers)
    return report


async def _run(stage: Stage, ticks: Ticks, enough: asyncio.Event) -> None:
    while not enough.is_set():
        due = stage.elapsed() + EVERY
        ticks.reports.append(await tick(stage))
        await asyncio.sleep(max(0.0, due - stage.elapsed()))
