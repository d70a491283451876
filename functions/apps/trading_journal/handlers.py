"""The journal's job types. Each is thin, and imports its tools when it first runs."""

from __future__ import annotations

from collections.abc import Mapping

from shared import Discard, JobContext

from .payloads import (
    AnalysisRequest,
    BrokerSync,
    CoachRequest,
    CsvImport,
    EmailMessage,
    TradeEmbeddings,
    TradeRecord,
)
from .queues import ai, broker_sync, default, emails, imports


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

    return await mail_provider().send(render(payload), job.unique_id)


@imports.job("csv.import")
async def import_csv(payload: CsvImport, job: JobContext) -> dict[str, object]:
    """Enqueue a record job for every valid row of a price file; return a summary of the file."""
    from .importing import run_import  # noqa: PLC0415 - cold start

    return await run_import(payload, job, _Queues())


@broker_sync.job("broker.sync")
async def sync_trades(payload: BrokerSync, job: JobContext) -> dict[str, object]:
    """Fetch the fills that the journal has not got. Any number of runs store each fill once."""
    from functions.providers.alpaca import broker  # noqa: PLC0415 - cold start

    from .settings import data_folder  # noqa: PLC0415
    from .syncing import UNREADABLE_SHOWN, sync  # noqa: PLC0415
    from .trades import trades_in  # noqa: PLC0415

    trades = trades_in(data_folder(), payload.account)
    report = await sync(job, broker(), trades, payload.resume)
    for fault in report.unreadable[:UNREADABLE_SHOWN]:
        job.log(f"a fill can't be read: {fault}")
    if report.rest is not None:
        rest = payload.model_copy(update={"resume": report.rest})
        # Without an id of its own: one that died under the same id would hold this one back, and
        # two of them store each fill once.
        await sync_trades.enqueue(rest)
    return report.summary()


@ai.job("ai.feedback")
async def give_feedback(payload: CoachRequest) -> dict[str, object]:
    """Ask a language model for a coach's feedback on a day's trades, and keep it."""
    from functions.providers.openai import language_model  # noqa: PLC0415 - cold start

    from .coach import feedback  # noqa: PLC0415
    from .settings import data_folder  # noqa: PLC0415
    from .trades import trades_in  # noqa: PLC0415

    return await feedback(payload.day, trades_in(data_folder(), payload.account), language_model())


@ai.job("ai.analysis")
async def analyse_trades(payload: AnalysisRequest) -> dict[str, object]:
    """Compute the result of each symbol over a period, and ask a language model what it means."""
    from functions.providers.openai import language_model  # noqa: PLC0415 - cold start

    from .coach import analysis  # noqa: PLC0415
    from .settings import data_folder  # noqa: PLC0415
    from .trades import trades_in  # noqa: PLC0415

    trades = trades_in(data_folder(), payload.account)
    return await analysis(payload.first, payload.last, trades, language_model())


@ai.job("ai.embeddings")
async def embed_trades(payload: TradeEmbeddings, job: JobContext) -> dict[str, object]:
    """Compute a vector for each trade that has none. Another job goes on where time is short."""
    from functions.providers.openai import language_model  # noqa: PLC0415 - cold start

    from .coach import embed  # noqa: PLC0415
    from .settings import data_folder  # noqa: PLC0415
    from .trades import trades_in  # noqa: PLC0415

    count, last = await embed(job, trades_in(data_folder(), payload.account), language_model())
    if last is not None:
        await embed_trades.enqueue(payload, job_id=job.child_id(f"after {last}"))
    return {"embedded": count, "more": last is not None}


class _Queues:
    """The `Output` of an import: jobs on the queues above."""

    async def record(self, records: Mapping[str, TradeRecord]) -> int:
        jobs = [record_trade.job(record, job_id=job_id) for job_id, record in records.items()]
        return sum(not stored.duplicate for stored in await record_trade.enqueue_many(jobs))

    async def resume(self, rest: CsvImport, job_id: str) -> str:
        handle = await import_csv.enqueue(rest, job_id=job_id)
        if handle.duplicate and handle.state in {"dead", "cancelled"}:
            raise Discard(
                f"the rest of this import is {handle.id}, which is {handle.state}: redrive it"
            )
        return handle.id

    async def notify(self, email: EmailMessage, job_id: str) -> None:
        await send_email.enqueue(email, job_id=job_id)
