"""A run of the maintain function: dead letters go into the archive, old rows go out of it."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..declare.queue import Queue
from ..drain.budget import Budget
from ..errors import ArchiveError, StoreError
from ..store import Store
from .archive import Archive, open_archive
from .move import Tally, due_queues, move

log = logging.getLogger("tidegate.archive")

LOOK_EVERY = 6 * 3600.0
"""Seconds between two looks for old rows in one process. Runs between them that find no dead letter
to move do not connect, so that a Postgres that sleeps while it has no queries is not woken."""
OLD_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class MaintainReport:
    """What a run did. `stop`: "done", "budget" (there is more), "off" (no DATABASE_URL) or "error".
    `commands` are billed ones of the store."""

    stop: str
    tally: Tally
    commands: int
    seconds: float
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        counts = asdict(self.tally)
        del counts["unfinished"], counts["failed"]  # they are in `stop` and `error`
        return {
            "stop": self.stop,
            **counts,
            "billed_commands": self.commands,
            "seconds": round(self.seconds, 3),
            **({"error": self.error} if self.error else {}),
        }


class Maintenance:
    """The runs of one process. `url`: the archive's; with None a run does nothing."""

    def __init__(self, url: str | None, days: float) -> None:
        self._url, self._days = url, days
        self._looked_at = -math.inf  # for old rows, on the clock of budgets

    async def run(self, store: Store, queues: Sequence[Queue], budget: Budget) -> MaintainReport:
        """One run inside the budget. A failure of the store or of Postgres is reported, not raised:
        the next run goes on. Raises MissingExtra without psycopg."""
        tally, error, before = Tally(), None, store.meter.snapshot()
        try:
            if self._url is not None:
                async with asyncio.timeout(budget.handler_time()):
                    await self._run(self._url, store, queues, budget, tally)
        except TimeoutError:  # nothing begins that is not expected to fit
            error = "TimeoutError: Redis or Postgres did not answer within the function's time"
        except (ArchiveError, StoreError) as failure:
            error = f"{type(failure).__name__}: {failure}"
        error = error or "; ".join(tally.failed) or None
        done = "budget" if tally.unfinished else "done" if self._url else "off"
        commands = store.meter.since(before).commands
        report = MaintainReport("error" if error else done, tally, commands, budget.used(), error)
        log.log(logging.ERROR if error else logging.INFO, "maintained", extra=report.as_dict())
        return report

    async def _run(
        self, url: str, store: Store, queues: Sequence[Queue], budget: Budget, tally: Tally
    ) -> None:
        due = due_queues(queues, await store.deaths.oldest(queues))
        looks = store.clock.monotonic() - self._looked_at >= LOOK_EVERY
        if not due and not looks:
            return
        async with open_archive(url, store.prefix, store.clock, self._days) as archive:
            await move(store, archive, due, budget, tally)
            if looks and await _delete_old(archive, budget, tally):
                self._looked_at = store.clock.monotonic()


async def _delete_old(archive: Archive, budget: Budget, tally: Tally) -> bool:
    """Delete old rows in batches; False where the time was up first."""
    while budget.handler_time():
        count = await archive.delete_old(OLD_ROWS)
        tally.deleted += count
        if count < OLD_ROWS:
            return True
    return False
