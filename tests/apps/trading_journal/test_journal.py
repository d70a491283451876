"""The journal holds one record of a day, however many runs write at once."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import ValidationError

from functions.apps.trading_journal import TradeRecord, record_trade
from functions.apps.trading_journal.journal import journal_in, tables_in
from functions.apps.trading_journal.price_math import restated
from functions.apps.trading_journal.rows import PriceRow
from functions.providers.database import close_databases

from ..conftest import MakeContext

ROOT = Path(__file__).parents[3]
ROW = {
    "symbol": "AAPL",
    "date": "2000-03-02",
    "open": "127.0",
    "high": "127.94",
    "low": "120.69",
    "close": "122.0",
    "volume": 2779100,
}


def record(*, account: str = "main", previous: str | None = "130.31", **row: object) -> TradeRecord:
    return TradeRecord.model_validate(
        {"account": account, "row": {**ROW, **row}, "previous_close": previous}
    )


def rows(folder: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "trading-journal.sqlite3")) as db:
        return db.execute("SELECT * FROM journal_records ORDER BY account, symbol, day").fetchall()


@pytest.mark.parametrize(
    "previous",
    [
        *("0", "-1", "NaN", "Infinity", "1e-25", "1e-999999", "0.1" + "0" * 24 + "1"),
        *("1000000000000000000000000000000000000000001", "1E+43", "1E+999999", "1E+999999999"),
        "9" * 5000,
    ],
)
def test_a_previous_close_that_no_price_restates_to_is_refused(previous: str) -> None:
    with pytest.raises(ValidationError, match="previous_close"):
        record(previous=previous)


@pytest.mark.parametrize("previous", ["1e-24", "0.000001", "1e42", "1" + "0" * 42 + ".000000"])
@pytest.mark.parametrize("price", ["1e-24", "1000000000"])
def test_the_widest_prices_are_recorded(
    folder: Path, context: MakeContext, previous: str, price: str
) -> None:
    widest = record(previous=previous, **dict.fromkeys(("open", "high", "low", "close"), price))

    assert record_trade(widest, context())["recorded"] is True


def test_the_largest_restated_close_is_one_of_a_record() -> None:
    most, least = "1000000000", "1e-24"
    same = dict.fromkeys(("open", "high", "low", "close"), most)
    last = PriceRow.model_validate({**ROW, **same, "adj_close": most})
    row = PriceRow.model_validate({**ROW, **same, "adj_close": least})

    stated = restated(last, row)

    assert TradeRecord(account="main", row=row, previous_close=stated).previous_close == stated


def test_a_day_is_recorded_with_what_follows_from_it(folder: Path, context: MakeContext) -> None:
    answer = record_trade(record(), context("imp-3", queue="default"))

    assert answer == {"recorded": True, "true_range": "9.62", "daily_return": "-0.063771"}
    day = ("main", "AAPL", "2000-03-02", "127.0", "127.94", "120.69", "122.0", 2779100)
    assert rows(folder) == [(*day, "9.62", "-0.063771", "imp-3.default")]


def test_a_first_day_has_no_return(folder: Path, context: MakeContext) -> None:
    answer = record_trade(record(previous=None), context())

    assert answer == {"recorded": True, "true_range": "7.25", "daily_return": None}


def test_a_day_that_is_there_stands(folder: Path, context: MakeContext) -> None:
    record_trade(record(), context("first"))

    again = record_trade(record(volume=1), context("second"))

    assert again["recorded"] is False
    assert [row[7] for row in rows(folder)] == [2779100]


def test_a_return_that_was_not_known_is_added_by_a_later_import_of_the_same_prices(
    folder: Path, context: MakeContext
) -> None:
    record_trade(record(previous=None), context("first"))

    record_trade(record(close="121.0"), context("other-prices"))
    assert [row[8:10] for row in rows(folder)] == [("7.25", None)]

    assert record_trade(record(), context("second"))["recorded"] is True
    assert record_trade(record(previous="1"), context("third"))["recorded"] is False
    assert [row[8:10] for row in rows(folder)] == [("9.62", "-0.063771")]


def test_accounts_symbols_and_days_are_apart(folder: Path, context: MakeContext) -> None:
    for one in (record(), record(account="paper"), record(symbol="FB"), record(date="2000-03-03")):
        assert record_trade(one, context())["recorded"] is True

    assert len(rows(folder)) == 4


def test_records_survive_closing(folder: Path, context: MakeContext) -> None:
    record_trade(record(), context())
    close_databases()

    assert record_trade(record(), context())["recorded"] is False


def test_the_folder_is_made_when_missing(folder: Path, context: MakeContext) -> None:
    journal_in(folder / "deep" / "er").record(record(), "id")

    assert len(rows(folder / "deep" / "er")) == 1


def test_a_process_opens_a_journal_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)

    assert tables_in(folder) is tables_in(Path(folder.name))


def test_a_broken_constraint_is_not_swallowed(folder: Path) -> None:
    nameless = record().model_copy(update={"account": None})

    with pytest.raises(sqlite3.IntegrityError):
        journal_in(folder).record(nameless, "id")


def test_five_threads_lose_and_double_nothing(folder: Path, context: MakeContext) -> None:
    days = [record(date=f"20{year:02}-03-{day:02}") for year in range(20) for day in range(1, 29)]

    with ThreadPoolExecutor(5) as threads:
        answers = list(threads.map(lambda day: record_trade(day, context()), [*days, *days]))

    assert sum(answer["recorded"] for answer in answers) == len(days)
    assert len(rows(folder)) == len(days)


def test_a_file_another_process_holds_is_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = sqlite3.connect(folder / "trading-journal.sqlite3", check_same_thread=False)
    other.execute("CREATE TABLE making (it)")
    other.execute("BEGIN EXCLUSIVE")
    naps = iter([lambda: None, other.close])
    monkeypatch.setattr("functions.providers.sqlite.BUSY", 0.0)
    monkeypatch.setattr("time.monotonic", lambda: 0.0)
    monkeypatch.setattr("time.sleep", lambda seconds: next(naps)())

    answer = journal_in(folder).record(record(), "id")

    assert answer["recorded"] is True


def test_a_file_held_for_good_is_the_engine_s_to_retry(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.providers.sqlite.BUSY", 0.0)
    with closing(sqlite3.connect(folder / "trading-journal.sqlite3")) as other:
        other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(sqlite3.OperationalError, match="locked"):
            journal_in(folder)


def test_several_processes_lose_and_double_nothing(folder: Path) -> None:
    script = """
import sys
from pathlib import Path
from functions.apps.trading_journal import TradeRecord
from functions.apps.trading_journal.journal import journal_in
record = TradeRecord.model_validate_json(sys.argv[2])
days = [f"20{year:02}-03-{day:02}" for year in range(20) for day in range(1, 11)]
journal = journal_in(Path(sys.argv[1]))
records = [record.model_copy(update={"row": record.row.model_copy(update={"date": day})})
           for day in map(__import__("datetime").date.fromisoformat, days)]
print(sum(bool(journal.record(one, "id")["recorded"]) for one in records))
"""
    command = [sys.executable, "-c", script, str(folder), record().model_dump_json()]

    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(4)]
    counts = [int(process.communicate()[0]) for process in running]

    assert [process.returncode for process in running] == [0] * 4
    assert sum(counts) == len(rows(folder)) == 200
