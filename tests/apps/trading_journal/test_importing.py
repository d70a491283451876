"""An import brings every valid row to the queue once, however often it runs."""

from __future__ import annotations

import asyncio
import re
import threading
from pathlib import Path
from typing import Any

import pytest
import respx

from functions.apps.trading_journal import CsvImport, import_csv, importing
from functions.apps.trading_journal.importing import BATCH, run_import
from functions.apps.trading_journal.table import read_prices
from shared import Discard
from shared.fetch import FetchFailed
from shared.jobs.ids import child_id

from ..conftest import MakeContext
from .conftest import Recorder, mail, row

PACKAGED = Path(importing.__file__).parent / "data"


def write(folder: Path, *lines: str) -> CsvImport:
    (folder / "prices.csv").write_text("\n".join(lines), encoding="utf-8")
    return CsvImport(source="file:prices.csv")


async def test_the_packaged_file_is_imported_whole(output: Recorder, context: MakeContext) -> None:
    job = context()

    summary = await run_import(CsvImport(source="stocks.csv"), job, output)

    assert summary == {
        "source": "stocks.csv",
        "checksum": "sha256:976631797512971c56bf31f5d9d27a01d7a710f934fcb32572aeb798f25a53b3",
        "rows": 3466,
        "accepted": 3466,
        "enqueued": 3466,
        "known": 0,
        "rejected": {"count": 0, "first": []},
        "first_date": "2000-03-01",
        "last_date": "2013-03-01",
    }
    assert output.calls == 7
    assert job.take_progress() == {"progress": 100}


async def test_a_record_carries_its_account_and_the_close_before(
    folder: Path, lines: list[str], output: Recorder, context: MakeContext
) -> None:
    payload = write(folder, *lines).model_copy(update={"account": "paper"})

    summary = await run_import(payload, context("imp"), output)

    first, second = (output.records[row(line, summary)] for line in (2, 3))
    assert (first.account, first.previous_close) == ("paper", None)
    assert str(second.previous_close) == "130.310000"


async def test_rejected_rows_are_counted_and_the_first_are_shown(
    folder: Path, lines: list[str], output: Recorder, context: MakeContext
) -> None:
    bad = [lines[1].replace("9616100", "-1")] * 30

    summary: dict[str, Any] = await run_import(write(folder, *lines, *bad), context(), output)

    assert (summary["rows"], summary["accepted"]) == (32, 2)
    assert summary["rejected"]["count"] == 30
    assert len(summary["rejected"]["first"]) == 20
    assert summary["rejected"]["first"][0] == {
        "line": 4,
        "column": "volume",
        "reason": "Input should be greater than or equal to 0",
    }


async def test_a_column_of_adjusted_prices_that_is_not_read_is_named(
    folder: Path, lines: list[str], output: Recorder, context: MakeContext
) -> None:
    header, *rows = lines
    file = write(folder, header.replace("Adj Close", "Adj Cls"), *rows)

    summary = await run_import(file, context(), output)

    assert summary["unread_adjustments"] == ["adjcls"]


async def test_volumes_that_are_rounded_are_counted(
    folder: Path, lines: list[str], output: Recorder, context: MakeContext
) -> None:
    header, first, second = lines
    rows = [first.replace("9616100", "9616100.4"), second.replace("2779100", "2.7791E+06")]

    summary = await run_import(write(folder, header, *rows), context(), output)

    assert summary["rounded_volumes"] == 1
    assert [one.row.volume for one in output.records.values()] == [9616100, 2779100]


async def test_a_file_with_decimal_commas_is_imported_where_the_job_says_so(
    folder: Path, output: Recorder, context: MakeContext
) -> None:
    file = write(
        folder,
        "Ticker;Date;Open;High;Low;Close;Volume",
        "DAX;2024-01-02;16.828;16.963;16.723,5;16.769;41.000.000",
    )
    with pytest.raises(Discard, match='give "decimal": "comma"'):
        await run_import(file, context(), output)

    file = file.model_copy(update={"decimal": "comma"})
    summary = await run_import(file, context(), output)

    assert summary["accepted"] == 1
    (record,) = output.records.values()
    assert (str(record.row.low), str(record.row.close)) == ("16723.5", "16769")
    assert record.row.volume == 41_000_000


async def test_a_day_that_comes_twice_is_rejected(
    folder: Path, lines: list[str], output: Recorder, context: MakeContext
) -> None:
    summary: dict[str, Any] = await run_import(write(folder, *lines, lines[2]), context(), output)

    assert len(output.records) == 2
    assert summary["rejected"]["first"][0]["column"] == "date"


async def test_a_file_without_one_valid_row_goes_to_the_dead_letters(
    folder: Path, lines: list[str], output: Recorder, context: MakeContext
) -> None:
    payload = write(folder, lines[0], lines[1].replace("9616100", "none"))

    with pytest.raises(Discard, match="none of 1 rows is valid; line 2, volume: "):
        await run_import(payload, context(), output)


async def test_a_file_without_rows_is_no_failure(
    folder: Path, header: str, output: Recorder, context: MakeContext
) -> None:
    summary = await run_import(write(folder, header), context(), output)

    assert (summary["rows"], summary["first_date"], summary["last_date"]) == (0, None, None)
    assert output.calls == 0


async def test_a_run_again_makes_the_same_jobs(output: Recorder, context: MakeContext) -> None:
    await run_import(CsvImport(source="stocks.csv"), context("imp"), output)
    before = dict(output.records)

    summary = await run_import(CsvImport(source="stocks.csv"), context("imp"), output)

    assert output.records == before
    assert (summary["accepted"], summary["enqueued"], summary["known"]) == (3466, 0, 3466)


async def test_many_bad_lines_in_a_row_end_nothing_early(
    folder: Path, lines: list[str], output: Recorder, context: MakeContext
) -> None:
    bad = ["no row"] * (2 * BATCH)

    summary = await run_import(write(folder, *lines[:2], *bad, lines[2]), context("imp"), output)

    assert set(output.records) == {row(2, summary), row(2 * BATCH + 3, summary)}
    assert summary["rows"] == 2 * BATCH + 2


async def test_another_import_of_the_file_makes_jobs_of_its_own(
    folder: Path, lines: list[str], output: Recorder, context: MakeContext
) -> None:
    payload = write(folder, *lines)

    for job_id in ("one", "two"):
        summary = await run_import(payload, context(job_id), output)

    runs = ("one.import", "two.import")
    assert set(output.records) == {row(line, summary, run) for run in runs for line in (2, 3)}


async def test_who_asked_is_told_once(output: Recorder, context: MakeContext) -> None:
    payload = CsvImport(source="stocks.csv", notify="ada@example.com")

    for _ in range(2):
        summary = await run_import(payload, context("imp"), output)

    assert list(output.emails) == [mail(summary)]
    email = output.emails[mail(summary)]
    assert (email.to, email.template) == ("ada@example.com", "import-finished")
    assert email.values["accepted"] == "3466"


async def test_a_file_changed_between_two_parts_is_not_mixed(
    folder: Path, lines: list[str], output: Recorder, context: MakeContext
) -> None:
    payload = write(folder, *lines)
    resume = {"run": "imp.import", "done": 2, "checksum": "sha256:other"}
    rest = CsvImport.model_validate({**payload.model_dump(), "resume": resume})
    part = child_id("imp.import", "from 2 of sha256:other")

    with pytest.raises(Discard, match="has changed"):
        await run_import(rest, context(part), output)

    assert not output.records


@respx.mock
async def test_a_provider_that_fails_leaves_nothing_half_done(
    output: Recorder, context: MakeContext, public_server: str
) -> None:
    respx.get(host=public_server).respond(502)

    with pytest.raises(FetchFailed, match="the server answers 502"):
        await run_import(CsvImport(source="https://example.com/a.csv"), context(), output)

    assert not output.records


async def test_an_enqueue_that_fails_is_the_engine_s_to_retry(context: MakeContext) -> None:
    class BrokenRecorder(Recorder):
        async def record(self, records: object) -> int:
            raise ConnectionError("store")

    with pytest.raises(ConnectionError):
        await run_import(CsvImport(source="stocks.csv"), context(), BrokenRecorder())


async def test_the_job_type_is_that_import(folder: Path, header: str, context: MakeContext) -> None:
    summary = await import_csv(write(folder, header), context())

    assert summary["rows"] == 0


@pytest.mark.parametrize(
    "payload",
    [
        {"source": ""},
        {"source": "a" * 2049},
        {"source": "a", "account": "../x"},
        {"source": "a", "notify": "nobody"},
        {"source": "a", "sauce": "b"},
    ],
)
def test_a_payload_that_makes_no_sense_is_refused(payload: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=re.compile("CsvImport")):
        CsvImport.model_validate(payload)


@pytest.mark.parametrize("newest_first", [False, True])
async def test_a_real_file_in_either_order_makes_the_same_records(
    folder: Path, output: Recorder, context: MakeContext, *, newest_first: bool
) -> None:
    header, *days = (PACKAGED / "stocks.csv").read_text(encoding="utf-8").splitlines()
    days = days[::-1] if newest_first else days

    summary = await run_import(write(folder, header, *days), context(), output)

    assert (summary["accepted"], summary["rejected"]) == (3466, {"count": 0, "first": []})
    first_days = [r for r in output.records.values() if r.previous_close is None]
    assert {(r.row.symbol, r.row.date.isoformat()) for r in first_days} == {
        ("AAPL", "2000-03-01"),
        ("FB", "2012-05-18"),
    }


async def test_a_gap_in_one_import_is_closed_by_the_next(
    folder: Path, header: str, output: Recorder, context: MakeContext
) -> None:
    days = [f"X,2026-01-0{n},1,9,1,{n},{-1 if n == 3 else 5},{n}" for n in range(1, 6)]

    await run_import(write(folder, header, *days), context(), output)

    known = {r.row.date.day: r.previous_close is not None for r in output.records.values()}
    assert known == {1: False, 2: True, 4: False, 5: True}


@pytest.mark.parametrize("job_id", ["imp", "other", "~x"])
async def test_a_position_that_no_import_wrote_is_refused(
    output: Recorder, context: MakeContext, job_id: str
) -> None:
    resume = {"run": "imp.import", "done": 1, "checksum": "sha256:x"}
    forged = CsvImport.model_validate({"source": "stocks.csv", "resume": resume})

    with pytest.raises(Discard, match="`resume` is written by imports only"):
        await run_import(forged, context(job_id), output)

    assert not output.records


async def test_rows_that_were_there_before_are_told(
    folder: Path, lines: list[str], output: Recorder, context: MakeContext
) -> None:
    payload = write(folder, *lines)
    before = await run_import(payload, context("imp"), output)
    del output.records[row(2, before)]

    summary = await run_import(payload, context("imp"), output)

    assert (summary["accepted"], summary["enqueued"], summary["known"]) == (2, 1, 1)


async def test_the_file_is_parsed_off_the_loop(
    output: Recorder, context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()

    def watched(*args: Any) -> Any:
        for line in read_prices(*args):
            threads.add(threading.get_ident())
            yield line

    monkeypatch.setattr(importing, "read_prices", watched)

    await run_import(CsvImport(source="stocks.csv"), context(), output)

    assert threads
    assert threading.get_ident() not in threads


async def test_a_cancelled_import_ends_with_its_thread(
    output: Recorder, context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def slow(*args: Any) -> Any:
        reading.set()
        go_on.wait(5)
        yield from read_prices(*args)

    monkeypatch.setattr(importing, "read_prices", slow)
    task = asyncio.create_task(run_import(CsvImport(source="stocks.csv"), context(), output))
    await asyncio.to_thread(reading.wait, 5)

    task.cancel()
    await asyncio.sleep(0)
    assert not task.done(), "its thread still reads the file"
    go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_signed_address_is_told_without_its_signature(
    output: Recorder, context: MakeContext, lines: list[str], public_server: str
) -> None:
    signed = "https://files.example.com/a.csv?X-Signature=secret"
    payload = CsvImport(source=signed, notify="ada@example.com")
    with respx.mock:
        respx.get(host=public_server).respond(200, content="\n".join(lines).encode())
        summary = await run_import(payload, context("imp"), output)

    assert summary["source"] == "https://files.example.com/a.csv?…"
    assert "secret" not in str(output.emails[mail(summary)])
