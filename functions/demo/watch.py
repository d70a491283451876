"""Looks at the journal's file while the demo runs, to say how fast rows arrived there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from .stage import Stage

EVERY = 0.05


@dataclass(slots=True)
class Watch:
    """(seconds, rows of the large import) at each look."""

    looks: list[tuple[float, int]] = field(default_factory=list)

    def rows_per_second(self) -> float:
        """From the first look that saw a row to the first that saw all of them."""
        seen = [(at, rows) for at, rows in self.looks if rows]
        if not seen:
            return 0.0
        began, first = seen[0]
        ended, last = next(look for look in seen if look[1] == seen[-1][1])
        return (last - first) / (ended - began) if ended > began else 0.0


@asynccontextmanager
async def watching(stage: Stage) -> AsyncIterator[Watch]:
    """Looks during the block."""
    watch = Watch()
    task = asyncio.create_task(_look(stage, watch))
    try:
        yield watch
    finally:
        task.cancel()


async def _look(stage: Stage, watch: Watch) -> None:
    while True:
        rows = await asyncio.to_thread(stage.recorded)
        watch.looks.append((stage.elapsed(), rows.get("main", 0)))
        await asyncio.sleep(EVERY)
