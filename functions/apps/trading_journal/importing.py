"""Turns a price file into record jobs. Knows the file and its rules; queues stand behind `Output`.

A re-run makes no doubles: a row's job id follows from the import's id and the row's line, and the
journal keeps one record of an account, symbol and day even after the queue has forgotten the id.
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
from .price_math import Chain, OutOfOrder
from .rows import PriceRow
from .sources import open_source
from .table import Line, Rejected, read_prices

BATCH = 500
"""Lines per enqueue: one request to the store of at most some 150 KB."""
RESERVE = 5.0
"""Seconds left at which an import stops enqueuing and leaves the rest to a job of its own."""
REJECTED_SHOWN = 20


class Output(Protocol):
    """What an import sets going, keyed by job ids: an id seen before changes nothing."""

    async def record(self, records: Mapping[str, TradeRecord]) -> int:
        """Have the rows recorded; answers how many of the ids were new."""

    async def resume(self, rest: CsvImport, job_id: str) -> str:
        """Have the rest imported; answers the public id of the job that does it."""

    async def notify(self, letter: EmailMessage, job_id: str) -> None:
        """Have the letter sent."""


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
    """Enqueue every valid row; answer what was found in the file.

    Raises Discard when the file can never be imported, or holds rows and not one is valid. When
    the time runs short, the rest is left to a further job, named in `continued_by`; that one's
    answer covers the whole file. `enqueued` counts the rows that were new to the queue in this run.
    """
    begun = payload.resume
    run, done = (begun.run, begun.line) if begun else (job.id, 0)
    tally = _Tally()
    async with open_source(payload.source) as source:
        if begun and begun.checksum != source.checksum:
            raise Discard("the file has changed since its import began; import it anew")
        with closing(_entries(source.stream, payload.account, tally)) as entries:
            while batch := list(islice(entries, BATCH)):
                fresh = {
                    row_id(run, line): record for line, record in batch if record and line > done
                }
                if not fresh:
                    await asyncio.sleep(0)  # lines that bring nothing must not hold up other jobs
                    continue
                tally.enqueued += await output.record(fresh)
                job.progress(99 * source.stream.tell() // source.size, f"line {batch[-1][0]}")
                if len(batch) == BATCH and job.budget_left() < RESERVE:
                    rest = Resume(run=run, line=batch[-1][0], checksum=source.checksum)
                    return await _leave(payload, rest, tally, output)
    if tally.rejected and not tally.accepted:
        raise Discard(f"none of {tally.rejected} rows is valid; {_sentence(tally.shown[0])}")
    return await _finish(payload, run, tally.summary(payload.source, source.checksum), job, output)


def row_id(run: str, line: int | str) -> str:
    """The job id for one line of an import: the same in every run of it, and of no other import."""
    short = run.partition(".")[0]
    if len(short) > 40 or short.startswith(
        "~"
    ):  # too long to add to, or a name only the store gives
        short = hashlib.sha256(run.encode()).hexdigest()[:40]
    return f"{short}-{line}"


def _entries(
    stream: BinaryIO, account: str, tally: _Tally
) -> Generator[tuple[int, TradeRecord | None], None, None]:
    """Every line with its record; a rejected one has none."""
    chain = Chain()
    for found in read_prices(stream):
        kept = _kept(found, chain)
        if isinstance(kept, Rejected):
            tally.reject(kept)
            yield kept.line, None
        else:
            row, previous = kept
            tally.accept(row)
            yield found.line, TradeRecord(account=account, row=row, previous_close=previous)


def _kept(found: Line | Rejected, chain: Chain) -> tuple[PriceRow, Decimal | None] | Rejected:
    if isinstance(found, Rejected):
        return found
    try:
        return found.row, chain.follow(found.row)
    except OutOfOrder as error:
        return Rejected(found.line, "date", str(error))


async def _leave(
    payload: CsvImport, rest: Resume, tally: _Tally, output: Output
) -> dict[str, object]:
    further = payload.model_copy(update={"resume": rest})
    job_id = await output.resume(further, row_id(rest.run, f"from-{rest.line}"))
    return {**tally.summary(payload.source, rest.checksum), "continued_by": job_id}


async def _finish(
    payload: CsvImport, run: str, summary: dict[str, object], job: JobContext, output: Output
) -> dict[str, object]:
    if payload.notify:
        letter = EmailMessage(to=payload.notify, template="import-finished", values=_facts(summary))
        await output.notify(letter, row_id(run, "mail"))
    job.progress(100)
    job.logger.info("imported %s of %s rows", summary["accepted"], summary["rows"])
    return summary


def _facts(summary: dict[str, object]) -> dict[str, str | int]:
    names = ("source", "rows", "accepted", "first_date", "last_date")
    return {name: str(summary[name] if summary[name] is not None else "none") for name in names}


def _sentence(rejected: Rejected) -> str:
    where = f"line {rejected.line}" + (f", {rejected.column}" if rejected.column else "")
    return f"{where}: {rejected.reason}"
