"""A broker's fills, page by page, from some time before the last one that the journal has."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass, field
from typing import Any, Protocol

from functions.providers.alpaca import Page
from shared import JobContext

from .payloads import SyncPosition
from .trades import Trades

MOST_PAGES = 50
"""Pages of one job: 5,000 fills. Another job fetches the rest."""
SECONDS_A_PAGE = 20.0
"""What must be left of the job's time to begin a page: the longest that one request takes."""
OVERLAP = dt.timedelta(hours=2)
"""How far before the journal's last fill a sync begins: neither ids nor arrivals are in order of
time, and a broker's clock may go back an hour."""
UNREADABLE_SHOWN = 20


class Broker(Protocol):
    """A source of fills."""

    async def fills(self, since: dt.datetime | None, token: str | None) -> Page:
        """The next page of the fills since an instant, after the page of this token."""


@dataclass(slots=True)
class SyncReport:
    """How many fills came, how many were new, and which could not be read. `rest`: where another
    job goes on; None at the end."""

    fetched: int = 0
    new: int = 0
    unreadable: list[str] = field(default_factory=list)
    rest: SyncPosition | None = None

    def summary(self) -> dict[str, Any]:
        """The result of the job."""
        result = {"fetched": self.fetched, "new": self.new, "more": self.rest is not None}
        if not self.unreadable:
            return result
        shown = {"count": len(self.unreadable), "first": self.unreadable[:UNREADABLE_SHOWN]}
        return {**result, "unreadable": shown}


async def sync(
    job: JobContext, broker: Broker, trades: Trades, resume: SyncPosition | None = None
) -> SyncReport:
    """Store the fills that the journal has not got. A page is stored before the next one is
    fetched."""
    since, token = (resume.since, resume.token) if resume else (await _start(trades), None)
    report, seen = SyncReport(), {token}
    for page in range(1, MOST_PAGES + 1):
        fills, unreadable, token = await broker.fills(since, token)
        report.new += await asyncio.to_thread(trades.add, fills)
        report.fetched += len(fills) + len(unreadable)
        report.unreadable += unreadable
        if token is None or token in seen:  # one that came before leads round and round
            report.rest = None
            break
        seen.add(token)
        report.rest = SyncPosition(since=since, token=token)
        if job.budget_left() < SECONDS_A_PAGE:
            break
        job.progress(100 * page / MOST_PAGES, f"{report.fetched} fills")
    return report


async def _start(trades: Trades) -> dt.datetime | None:
    last = await asyncio.to_thread(trades.last_instant)
    return None if last is None else last - OVERLAP
