"""The import of a price file: it turns rows into record jobs. `Output` hides the queues.

A second run makes no duplicates: a row's job id follows from the import's id and the row's line.
When the queue has deleted that id, the journal still keeps one record per account, symbol and day.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from itertools import islice
from typing import BinaryIO, Protocol

from shared import Discard, JobContext

from .payloads import CsvImport, EmailMessage, Resume, TradeRecord
from .price_math import OutOfOrder, PreviousCloses
from .rows import PriceRow
from .sources import open_source
from .table import Line, Rejected, read_prices

BATCH = 500
"""Lines per enqueue: one request to the store of at most some 150 KB."""
RESERVE = 5.0
"""Seconds of remaining budget below which an import stops and enqueues a job for the rest."""
REJECTED_SHOWN = 20


class Output(Protocol):
    """The jobs that an import enqueues, by job id. A known id changes nothing."""

    async def record(self, records: Mapping[str, TradeRecord]) -> int:
        """Enqueue one record job per row; return how many ids were new."""

    async def resume(self, rest: CsvImport, job_id: str) -> str:
        """Enqueue an import of the remaining lines; return the public id of its job."""

    async def notify(self, email: EmailMessage, job_id: str) -> None:
        """Enqueue the email."""


@dataclass(slots=True)
class _Tally:
    accepted: int = 0
    rejected: int = 0
    enqueued: int = 0
    shown: list[Rejected] = field(default_factory=list)
    first_date: dt.date = dt.date.max
    last_date: dt.date = dt.date.min

    def accept(self, row: PriceRow) -> None:
        self.accepted += 1
        self.first_date = min(self.first_date, row.date)
        self.last_date = max(self.last_date, row.date)

    def reject(self, rejected: Rejected) -> None:
        self.rejected += 1
        if len(self.shown) < REJECTED_SHOWN:
            self.shown.append(rejected)

    def summary(self, source: str, checksum: str) -> dict[str, object]:
        return {
            "source": source,
            "checksum": checksum,
            "rows": self.accepted + self.rejected,
            "accepted": self.accepted,
            "enqueued": self.enqueued,
            "rejected": {"count": self.rejected, "first": [asdict(line) for line in self.shown]},
            "first_date": self.first_date.isoformat() if self.accepted else None,
            "last_date": self.last_date.isoformat() if self.accepted else None,
        }


async def run_import(payload: CsvImport, job: JobContext, output: Output) -> dict[str, object]:
    """Enqueue every valid row; return a summary of the file.

    Raises Discard when the file can never be imported, or has rows of which none is valid. When
    the budget runs short, a second job imports the rest: `continued_by` is its id, and its summary
    covers the whole file. `enqueued` counts the rows that this run added to the queue.
    """
    resume = payload.resume
    run, done = (resume.run, resume.line) if resume else (job.id, 0)
    tally = _Tally()
    async with open_source(payload.source) as source:
        if resume and resume.checksum != source.checksum:
            raise Discard("the file has changed since its import began; import it anew")
        with closing(_entries(source.stream, payload.account, tally)) as entries:
            while batch := list(islice(entries, BATCH)):
                fresh = {
                    row_id(run, line): record for line, record in batch if record and line > done
                }
                if not fresh:
                    await asyncio.sleep(0)  # without an await, these lines would block other jobs
                    continue
                tally.enqueued += await output.record(fresh)
                job.progress(99 * source.stream.tell() // source.size, f"line {batch[-1][0]}")
                if len(batch) == BATCH and job.budget_left() < RESERVE:
                    rest = Resume(run=run, line=batch[-1][0], checksum=source.checksum)
                    return await _continue_later(payload, rest, tally, output)
    if tally.rejected and not tally.accepted:
        raise Discard(f"none of {tally.rejected} rows is valid; {_sentence(tally.shown[0])}")
    return await _finish(payload, run, tally.summary(payload.source, source.checksum), job, output)


def row_id(run: str, line: int | str) -> str:
    """The job id of one line of an import: equal in all runs of it, different in other imports."""
    stem = run.partition(".")[0]
    # A long id leaves no room for the line; ids that start with ~ are reserved for the store.
    if len(stem) > 40 or stem.startswith("~"):
        stem = hashlib.sha256(run.encode()).hexdigest()[:40]
    return f"{stem}-{line}"


def _entries(
    stream: BinaryIO, account: str, tally: _Tally
) -> Generator[tuple[int, TradeRecord | None], None, None]:
    """Every line number with its record, or with None for a rejected line."""
    closes = PreviousCloses()
    for line in read_prices(stream):
        checked = _check_order(line, closes)
        if isinstance(checked, Rejected):
            tally.reject(checked)
            yield checked.line, None
        else:
            row, previous = checked
            tally.accept(row)
            yield line.line, TradeRecord(account=account, row=row, previous_close=previous)


def _check_order(
    line: Line | Rejected, closes: PreviousCloses
) -> tuple[PriceRow, Decimal | None] | Rejected:
    if isinstance(line, Rejected):
        return line
    try:
        return line.row, closes.advance(line.row)
    except OutOfOrder as error:
        return Rejected(line.line, "date", str(error))


async def _continue_later(
    payload: CsvImport, rest: Resume, tally: _Tally, output: Output
) -> dict[str, object]:
    remainder = payload.model_copy(update={"resume": rest})
    job_id = await output.resume(remainder, row_id(rest.run, f"from-{rest.line}"))
    return {**tally.summary(payload.source, rest.checksum), "continued_by": job_id}


async def _finish(
    payload: CsvImport, run: str, summary: dict[str, object], job: JobContext, output: Output
) -> dict[str, object]:
    if payload.notify:
        email = EmailMessage(to=payload.notify, template="import-finished", values=_facts(summary))
        await output.notify(email, row_id(run, "mail"))
    job.progress(100)
    job.logger.info("imported %s of %s rows", summary["accepted"], summary["rows"])
    return summary


def _facts(summary: dict[str, object]) -> dict[str, str | int]:
    names = ("source", "rows", "accepted", "first_date", "last_date")
    return {name: str(summary[name] if summary[name] is not None else "none") for name in names}


def _sentence(rejected: Rejected) -> str:
    where = f"line {rejected.line}" + (f", {rejected.column}" if rejected.column else "")
    return f"{where}: {rejected.reason}"
