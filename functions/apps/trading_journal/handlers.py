"""The journal's job types. Each is thin, and imports its tools when it first runs."""

from __future__ import annotations

from collections.abc import Mapping

from shared import JobContext

from .payloads import CsvImport, EmailMessage, TradeRecord
from .queues import default, emails, imports


@default.job("trade.record")
def record_trade(payload: TradeRecord, job: JobContext) -> dict[str, object]:
    """Record the day, its true range and its return. Any number of runs leave one record."""
    from .journal import journal_in  # noqa: PLC0415 - cold start
    from .settings import data_folder  # noqa: PLC0415

    return journal_in(data_folder()).record(payload, job.id)


@emails.job("email.send")
async def send_email(payload: EmailMessage, job: JobContext) -> dict[str, str]:
    """Send one email. Any number of runs send it once."""
    from functions.providers.mail import mail_provider  # noqa: PLC0415 - cold start

    from .templates import render  # noqa: PLC0415

    return await mail_provider().send(render(payload), job.id)


@imports.job("csv.import")
async def import_csv(payload: CsvImport, job: JobContext) -> dict[str, object]:
    """Enqueue a record job for every valid row of a price file; return a summary of the file."""
    from .importing import run_import  # noqa: PLC0415 - cold start

    return await run_import(payload, job, _Queues())


class _Queues:
    """The `Output` of an import: jobs on the queues above."""

    async def record(self, records: Mapping[str, TradeRecord]) -> int:
        jobs = [record_trade.job(record, job_id=job_id) for job_id, record in records.items()]
        return sum(not stored.duplicate for stored in await record_trade.enqueue_many(jobs))

    async def resume(self, rest: CsvImport, job_id: str) -> str:
        return (await import_csv.enqueue(rest, job_id=job_id)).id

    async def notify(self, email: EmailMessage, job_id: str) -> None:
        await send_email.enqueue(email, job_id=job_id)
