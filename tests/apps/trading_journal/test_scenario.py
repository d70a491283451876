"""An import from its enqueue to the journal and the email, through a real store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from functions.apps.trading_journal import CsvImport, import_csv, record_trade, send_email
from shared.declare.app import Registry
from shared.declare.queue import JobType
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.store import Store
from shared.testing import FakeClock, embedded_store, run_job

from ..conftest import MakeContext
from .conftest import mail

DAYS = 28


@pytest.fixture
def prices(folder: Path, header: str) -> CsvImport:
    days = [
        f"AAPL,2026-01-{day:02},10,12,9,{9 + day % 3},500,{9 + day % 3}" for day in range(1, 29)
    ]
    (folder / "prices.csv").write_text("\n".join([header, *days, "AAPL,2026-01-29,10,9,9,9,1,9"]))
    return CsvImport(source="file:prices.csv", notify="ada@example.com")


def journal(folder: Path) -> list[Any]:
    with closing(sqlite3.connect(folder / "trading-journal.sqlite3")) as db:
        return db.execute("SELECT day, daily_return FROM journal_records ORDER BY day").fetchall()


async def drain_queue(store: Store, job_type: JobType[Any], *, clock: FakeClock) -> None:
    drain = Drain(store, Registry([]), Budget.of(60, clock=clock))
    await drain.run([job_type.queue])


async def imported(
    store: Store, prices: CsvImport, clock: FakeClock, job_id: str
) -> dict[str, Any]:
    view = await run_job(store, import_csv, prices, clock=clock, job_id=job_id)
    assert view.state == "completed"
    result = view.history["result"]
    assert isinstance(result, dict)
    return result


async def test_a_file_reaches_the_journal_and_its_sender_is_told(
    folder: Path, prices: CsvImport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_FOLDER", str(folder / "mail"))
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, import_csv, prices, clock=clock)
        for job_type in (record_trade, send_email):
            await drain_queue(store, job_type, clock=clock)

    result = view.history["result"]
    assert (result["accepted"], result["enqueued"]) == (DAYS, DAYS)
    assert result["rejected"]["first"][0]["line"] == DAYS + 2
    assert journal(folder)[:3] == [
        ("2026-01-01", None),
        ("2026-01-02", "0.100000"),
        ("2026-01-03", "-0.181818"),
    ]
    assert len(journal(folder)) == DAYS
    email = (folder / "mail" / f"{mail(result, view.id)}.email.eml").read_text(encoding="utf-8")
    assert f"{DAYS} of {DAYS + 1} rows" in email


async def test_an_import_that_runs_twice_makes_no_doubles(
    folder: Path, prices: CsvImport, context: MakeContext
) -> None:
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        results = [await import_csv(prices, context("imp")) for _ in range(2)]
        await drain_queue(store, record_trade, clock=clock)
        # the same file as another import: other jobs, the same days
        again = await imported(store, prices, clock, "other")
        await drain_queue(store, record_trade, clock=clock)

    assert [result["enqueued"] for result in results] == [DAYS, 0]
    assert again["enqueued"] == DAYS
    assert len(journal(folder)) == DAYS


WEEK = 7 * 86_400


@pytest.mark.parametrize("other_file", [True, False])
async def test_an_import_of_an_id_that_comes_again_makes_rows_and_an_email_of_its_own(
    folder: Path, prices: CsvImport, monkeypatch: pytest.MonkeyPatch, *, other_file: bool
) -> None:
    monkeypatch.setenv("MAIL_FOLDER", str(folder / "mail"))
    later = prices
    if other_file:
        text = (folder / "prices.csv").read_text(encoding="utf-8")
        (folder / "later.csv").write_text(text.replace("2026-01", "2026-03"), encoding="utf-8")
        later = prices.model_copy(update={"source": "file:later.csv"})
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        await imported(store, prices, clock, "weekly")
        clock.advance(1800)  # a backlog: its rows and its email end half an hour later
        for job_type in (record_trade, send_email):
            await drain_queue(store, job_type, clock=clock)
        clock.advance(WEEK - 1000)  # so the record of the import goes, and theirs stay
        await drain_queue(store, import_csv, clock=clock)
        again = await imported(store, later, clock, "weekly")
        for job_type in (record_trade, send_email):
            await drain_queue(store, job_type, clock=clock)

    assert (again["enqueued"], again["known"]) == (DAYS, 0)
    assert len(journal(folder)) == (2 * DAYS if other_file else DAYS)
    assert len(list((folder / "mail").glob("*.eml"))) == 2


async def test_a_redriven_import_whose_file_has_changed_records_the_new_rows(
    folder: Path, prices: CsvImport, context: MakeContext
) -> None:
    clock = FakeClock()
    file = folder / "prices.csv"

    async with embedded_store(clock=clock) as store:
        before = await import_csv(prices, context("imp"))  # and its function dies
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("2026-01", "2026-03"), encoding="utf-8")
        after = await import_csv(prices, context("imp"))
        await drain_queue(store, record_trade, clock=clock)

    assert (before["enqueued"], after["enqueued"]) == (DAYS, DAYS)
    assert len(journal(folder)) == 2 * DAYS


async def test_an_import_short_of_time_is_finished_by_a_further_job(
    folder: Path, prices: CsvImport, context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.apps.trading_journal.importing.BATCH", 10)
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        begun = await import_csv(prices, context("imp", left=lambda: 1.0))
        await drain_queue(store, import_csv, clock=clock)
        await drain_queue(store, record_trade, clock=clock)

    assert (begun["enqueued"], str(begun["continued_by"])[0]) == (10, "~")
    assert len(journal(folder)) == DAYS


async def test_a_file_that_is_none_is_dead_at_once_and_says_why(folder: Path) -> None:
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, import_csv, CsvImport(source="file:none.csv"), clock=clock)

    assert (view.state, view.attempts) == ("dead", 1)
    assert "there is no file 'file:none.csv'" in view.history["errors"][0]["message"]
