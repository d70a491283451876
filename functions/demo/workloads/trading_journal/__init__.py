"""The trading journal: an import of real prices with a dead letter and its redrive, emails beyond
their rate limit, a broker's fills and what a language model says about them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib.resources import files
from typing import Any

from ...claims import Claim, Evidence, equal
from ...standins.alpaca import fills_at
from ...world import DemoFailed, World
from .claims import email_claims, row_claims

PRICES = "stocks.csv"
BROKER, BROKER_ROWS = "broker.csv", 60
"""The file of a second account: the last rows of the packaged one. It arrives late and cut off."""
EARLY, EMAILS = 3, 110
FILLS = 250
COUNT_SECONDS, PAUSE = 0.05, 0.3
QUEUES = ("broker-sync", "ai", "import", "email", "default")


class Demonstration:
    """The workload of the journal."""

    data = (
        "3,466 daily prices of AAPL and FB: Quandl WIKI, public domain, from PyPI's "
        "bokeh_sampledata 2026.1; 250 made up fills at these prices"
    )
    dead = 0

    def __init__(self, world: World) -> None:
        self._world = world
        self._lines = price_lines()
        self._imports: dict[str, dict[str, Any]] = {}
        self._row_counts: list[tuple[float, int]] = []
        world.standins.alpaca.fills = fills_at(self._lines[-FILLS:])

    async def work(self) -> None:
        counter = asyncio.create_task(self._count_rows())
        try:
            await asyncio.gather(self._import_and_write(), self._sync_and_ask())
            await self._world.finish(*QUEUES)
        finally:
            counter.cancel()

    def claims(self, evidence: Evidence) -> Iterator[Claim]:
        lines = {"main": len(self._lines) - 1, "broker": BROKER_ROWS}
        yield from row_claims(self._imports, lines, self._rows())
        retried = evidence.outcomes_of("email")["retried"]
        yield from email_claims(self._world.email_times("email"), EMAILS, EARLY, retried)
        yield equal("one import was a dead letter", evidence.outcomes_of("import")["dead"], 1)
        fills = self._select("SELECT count(*), count(vector) FROM journal_fills")
        yield equal(
            "each fill of the broker is stored once, with a vector", fills, [(FILLS, FILLS)]
        )
        notes = self._select("SELECT kind FROM journal_notes ORDER BY kind")
        yield equal("feedback and analysis are kept", notes, [("analysis",), ("feedback",)])

    def figures(self) -> Mapping[str, str]:
        rate = _rows_per_second(self._row_counts)
        sent = self._world.email_times("email")
        pauses = (n for n in range(1, len(sent)) if sent[n] - sent[n - 1] > PAUSE)
        first = next(pauses, len(sent))
        seconds = sent[-1] - sent[first - 1] if sent else 0.0
        return {
            "throughput": f"{rate:,.0f} trade.record jobs/s while they ran, 5 at a time as "
            "declared, each a row committed to SQLite",
            "rate limit": f"{first} emails sent at once, {len(sent) - first} over the next "
            f"{seconds:.1f} s as the limit allowed",
        }

    async def _import_and_write(self) -> None:
        world = self._world
        world.mail.touch()  # a file in the place of the folder: every email fails
        early = await self._enqueue_emails(range(EARLY))
        world.log(f"{EARLY} emails enqueued; a file blocks the place of their mail folder")
        sources = {"main": PRICES, "broker": f"file:{BROKER}"}
        payloads = [{"source": source, "account": name} for name, source in sources.items()]
        ids = await world.enqueue("import", "csv.import", payloads)
        imports = dict(zip(sources, ids, strict=True))
        world.log(f"two imports enqueued: {PRICES}, and {BROKER}, which does not exist yet")
        await self._unblock_mail(early)
        await self._enqueue_emails(range(EARLY, EMAILS))
        world.log(f"{EMAILS - EARLY} more emails enqueued in one request; the limit: 100 a minute")
        await self._redrive(imports["broker"])
        self._imports = {name: await world.end_of(job_id) for name, job_id in imports.items()}

    async def _sync_and_ask(self) -> None:
        """Fetch the fills, then have a model read them."""
        world = self._world
        await world.enqueue("broker-sync", "broker.sync", [{"account": "main"}])
        await world.finish("broker-sync")  # with the jobs for the pages that did not fit the first
        days = sorted(str(fill["transaction_time"])[:10] for fill in world.standins.alpaca.fills)
        await world.enqueue("ai", "ai.embeddings", [{"account": "main"}])
        await world.enqueue("ai", "ai.feedback", [{"account": "main", "day": days[-1]}])
        await world.enqueue("ai", "ai.analysis", [{"first": days[0], "last": days[-1]}])

    async def _enqueue_emails(self, numbers: range) -> list[str]:
        payloads = [
            {"to": f"trader-{n}@example.com", "template": "welcome", "values": {"name": f"No. {n}"}}
            for n in numbers
        ]
        return await self._world.enqueue("email", "email.send", payloads)

    async def _unblock_mail(self, early: list[str]) -> None:
        """Wait until every early email has failed once, then remove the file."""
        jobs: list[dict[str, Any]] = []

        async def all_failed() -> bool:
            jobs[:] = [await self._world.job(job_id) for job_id in early]
            return all(job["error"] is not None for job in jobs)

        await self._world.until(all_failed, "the first emails fail and wait for another attempt")
        error = jobs[0]["error"]["type"]
        self._world.mail.unlink()
        self._world.log(f"{EARLY} emails failed ({error}); the mail folder is unblocked")

    async def _redrive(self, job_id: str) -> None:
        """Wait for the dead letter, supply the missing file, redrive."""
        world = self._world
        job = await world.end_of(job_id)
        if job["state"] != "dead":
            raise DemoFailed(f"the import without a file is {job['state']}, not a dead letter")
        world.log(f"dead letter {job_id}: {job['error']['message']}")
        header, *rows = self._lines
        *whole, last = rows[-BROKER_ROWS:]
        text = "".join([header, *whole, last[: len(last) // 2]])
        (world.inbound / BROKER).write_text(text, encoding="utf-8")
        answer = await world.request("POST", f"/api/v1/dead-letters/{job_id}/redrive")
        if not answer["redriven"]:
            raise DemoFailed(f"the dead letter was not redriven: {answer}")
        world.log(f"{BROKER} has arrived (its last line cut off); the dead letter is redriven")

    async def _count_rows(self) -> None:
        while True:
            rows = await asyncio.to_thread(self._rows)
            self._row_counts.append((self._world.elapsed(), rows.get("main", 0)))
            await asyncio.sleep(COUNT_SECONDS)

    def _rows(self) -> dict[str, int]:
        """Rows by account, read from the journal's own database file."""
        query = "SELECT account, count(*) FROM journal_records GROUP BY account"
        return dict(self._select(query))

    def _select(self, query: str) -> list[Any]:
        file = self._world.inbound / "trading-journal.sqlite3"
        if not file.exists():
            return []
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as journal:
            try:
                return journal.execute(query).fetchall()
            except sqlite3.OperationalError:  # the table does not exist yet
                return []


def price_lines() -> list[str]:
    """The lines of the journal's packaged price file, the header first."""
    text = files("functions.apps.trading_journal").joinpath("data", PRICES).read_text("utf-8")
    return text.splitlines(keepends=True)


def _rows_per_second(row_counts: list[tuple[float, int]]) -> float:
    """From the first count with a row to the first count with all rows."""
    counts = [(at, rows) for at, rows in row_counts if rows]
    if not counts:
        return 0.0
    began, first = counts[0]
    ended, last = next(count for count in counts if count[1] == counts[-1][1])
    return (last - first) / (ended - began) if ended > began else 0.0
