"""The import of a price file: it turns rows into record jobs. `Output` hides the queues.

A second run makes no duplicates: a row's job is a child of the import, named by the file's checksum
and the row's line, and no caller can take its id. When the queue has deleted that id, the journal
still keeps one record per account, symbol and day.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO, Protocol, TypeVar

from shared import Discard, JobContext
from shared.fetch import bare_urls

from .chains import Chains, RowAndPrevious
from .payloads import CsvImport, EmailMessage, Resume, TradeRecord
from .sources import open_source
from .table import Line, RejectedLine, read_header, read_prices

T = TypeVar("T")
Entry = tuple[int, TradeRecord | None]
"""A line number, with its record or None for a rejected line."""

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
    known: int = 0
    taken: int = 0
    shown: list[RejectedLine] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    unadjusted: int = 0
    rounded: int = 0
    first_date: dt.date = dt.date.max
    last_date: dt.date = dt.date.min

    def accept(self, line: Line) -> None:
        self.accepted += 1
        self.unadjusted += line.unadjusted
        self.rounded += line.rounded
        self.first_date = min(self.first_date, line.row.date)
        self.last_date = max(self.last_date, line.row.date)

    def count(self, new: int, *, of: int) -> None:
        self.enqueued += new
        self.known += of - new

    def reject(self, rejected: RejectedLine) -> None:
        self.rejected += 1
        if len(self.shown) < REJECTED_SHOWN:
            self.shown.append(rejected)

    def summary(self, source: str, checksum: str) -> dict[str, object]:
        return {
            "source": bare_urls(source),
            "checksum": checksum,
            "rows": self.accepted + self.rejected,
            "accepted": self.accepted,
            "enqueued": self.enqueued,
            "known": self.known,
            "rejected": {"count": self.rejected, "first": [_describe(line) for line in self.shown]},
            "first_date": self.first_date.isoformat() if self.accepted else None,
            "last_date": self.last_date.isoformat() if self.accepted else None,
            **({"unread_adjustments": self.unread} if self.unread else {}),
            **({"unadjusted": self.unadjusted} if self.unadjusted else {}),
            **({"rounded_volumes": self.rounded} if self.rounded else {}),
        }


async def run_import(payload: CsvImport, job: JobContext, output: Output) -> dict[str, object]:
    """Enqueue every valid row; return a summary of the file.

    Raises Discard when the file can never be imported, or has rows of which none is valid. When
    the budget runs short, a second job imports the rest: `continued_by` is its id, and its summary
    covers the whole file. `enqueued` counts the rows that this run added to the queue, `known`
    those whose jobs an earlier run had enqueued. `unread_adjustments` names columns whose
    names say that they have adjusted prices, and which are not read; `unadjusted` counts the rows
    without an adjusted close in a file that has such a column, `rounded_volumes` those whose volume
    had a fraction.
    """
    run, done = _position(payload.resume, job)
    tally = _Tally()
    async with open_source(payload.source) as source:
        if payload.resume and payload.resume.checksum != source.checksum:
            raise Discard("the file has changed since its import began; import it anew")
        with closing(_entries(source.stream, payload, tally)) as entries:
            while batch := await _off_the_loop(lambda: list(islice(entries, BATCH))):
                fresh = _fresh(batch[max(0, done - tally.taken) :], run, source.checksum, job)
                tally.taken += len(batch)
                if not fresh:
                    continue
                tally.count(await output.record(fresh), of=len(fresh))
                job.progress(99 * source.stream.tell() // source.size, f"line {batch[-1][0]}")
                if len(batch) == BATCH and job.budget_left() < RESERVE:
                    rest = Resume(run=run, done=tally.taken, checksum=source.checksum)
                    return await _continue_later(payload, rest, tally, job, output)
    if tally.rejected and not tally.accepted:
        raise Discard(f"none of {tally.rejected} rows is valid; {_sentence(tally.shown[0])}")
    return await _finish(payload, run, tally.summary(payload.source, source.checksum), job, output)


def _fresh(
    entries: list[Entry], run: str, checksum: str, job: JobContext
) -> dict[str, TradeRecord]:
    """The valid rows by the ids of their jobs. Another file has other ids: an address may have
    changed its content when a dead import is redriven."""
    return {
        job.child_id(f"row {line} of {checksum}", root=run): record
        for line, record in entries
        if record
    }


def _position(resume: Resume | None, job: JobContext) -> tuple[str, int]:
    """The unique id of the import's first job, and how many lines are done. Raises Discard for a
    position that no import has written: with it a stranger could take the ids of an import's rows.
    """
    if resume is None:
        return job.unique_id, 0
    if not job.is_child(_part(resume), root=resume.run):
        raise Discard("`resume` is written by imports only; leave it out")
    return resume.run, resume.done


def _part(resume: Resume) -> str:
    return f"from {resume.done} of {resume.checksum}"


async def _off_the_loop(read: Callable[[], T]) -> T:
    """The result of a function that computes, run in a thread. A thread can't be stopped: when the
    job is cancelled, it first ends, since it uses the file that is closed next."""
    reading = asyncio.ensure_future(asyncio.to_thread(read))
    try:
        return await asyncio.shield(reading)
    except asyncio.CancelledError:
        await asyncio.wait({reading})
        raise


def _entries(stream: BinaryIO, payload: CsvImport, tally: _Tally) -> Generator[Entry, None, None]:
    """Every line number with its record, or with None for a rejected line; in one order in all
    runs."""
    chains = Chains()
    tally.unread = read_header(stream, payload.symbol).unread_adjustments
    for line in read_prices(stream, payload.symbol, payload.decimal):
        for entry in chains.add(line):
            yield _entry(entry, payload.account, tally)
    for entry in chains.end():
        yield _entry(entry, payload.account, tally)


def _entry(entry: RowAndPrevious | RejectedLine, account: str, tally: _Tally) -> Entry:
    if isinstance(entry, RejectedLine):
        tally.reject(entry)
        return entry.line, None
    row = entry.line.row
    tally.accept(entry.line)
    return entry.line.line, TradeRecord(account=account, row=row, previous_close=entry.previous)


async def _continue_later(
    payload: CsvImport, rest: Resume, tally: _Tally, job: JobContext, output: Output
) -> dict[str, object]:
    remainder = payload.model_copy(update={"resume": rest})
    job_id = await output.resume(remainder, job.child_id(_part(rest), root=rest.run))
    return {**tally.summary(payload.source, rest.checksum), "continued_by": job_id}


async def _finish(
    payload: CsvImport, run: str, summary: dict[str, object], job: JobContext, output: Output
) -> dict[str, object]:
    if payload.notify:
        email = EmailMessage(to=payload.notify, template="import-finished", values=_facts(summary))
        name = f"mail of {summary['checksum']}"
        await output.notify(email, job.child_id(name, root=run))
    job.progress(100)
    facts = (summary["accepted"], summary["rows"], summary["known"])
    job.logger.info("imported %s of %s rows; %s jobs were there before", *facts)
    return summary


def _facts(summary: dict[str, object]) -> dict[str, str | int]:
    names = ("source", "rows", "accepted", "first_date", "last_date")
    return {name: str(summary[name] if summary[name] is not None else "none") for name in names}


def _describe(rejected: RejectedLine) -> dict[str, object]:
    return {"line": rejected.line, "column": rejected.column, "reason": rejected.reason}


def _sentence(rejected: RejectedLine) -> str:
    where = f"line {rejected.line}" + (f", {rejected.column}" if rejected.column else "")
    return f"{where}: {rejected.reason}"
