"""A broker's fills, page by page, from the last one that the journal has."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from functions.providers.alpaca import PAGE, Fill
from shared import JobContext

from .trades import Trades

MOST_PAGES = 50
"""Pages of one job: 5,000 fills. Another job fetches the rest."""
SECONDS_A_PAGE = 20.0
"""What must be left of the job's time to begin a page: the longest that one request takes."""


class Broker(Protocol):
    """A source of fills."""

    async def fills(self, after: str | None) -> list[Fill]:
        """The next fills, oldest first, after the one of this id; at most PAGE."""


@dataclass(slots=True)
class SyncReport:
    """How many fills came and how many were new; whether there may be more."""

    fetched: int = 0
    new: int = 0
    more: bool = True


async def sync(job: JobContext, broker: Broker, trades: Trades) -> SyncReport:
    """Store what the broker has after the journal's last fill. A page is stored before the next one
    is fetched, so a further attempt goes on where this one stopped."""
    after = await asyncio.to_thread(trades.last_id)
    report = SyncReport()
    for page in range(1, MOST_PAGES + 1):
        fills = await broker.fills(after)
        report.new += await asyncio.to_thread(trades.add, fills)
        report.fetched += len(fills)
        # A page that leads nowhere ends the sync: it would come again for ever.
        report.more = len(fills) >= PAGE and fills[-1].id != after
        if not report.more or job.budget_left() < SECONDS_A_PAGE:
            break
        after = fills[-1].id
        job.progress(100 * page / MOST_PAGES, f"{report.fetched} fills")
    return report
