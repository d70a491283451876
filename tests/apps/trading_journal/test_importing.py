"""An import brings every valid row to the queue once, however often it runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import respx

from functions.apps.trading_journal import CsvImport, import_csv
from functions.apps.trading_journal.importing import BATCH, row_id, run_import
from shared import Discard
from shared.fetch import FetchFailed
from shared.jobs.ids import check_job_id

from ..conftest import MakeContext
from .conftest import Recorder


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

    await run_import(payload, context("imp"), output)

    first, second = output.records["imp-2"], output.records["imp-3"]
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
        "reason": "Input should be greater than 0",
    }


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
    assert (summary["accepted"], summary["enqueued"]) == (3466, 0)


async def test_many_bad_lines_in_a_row_end_nothing_early(
    folder: Path, lines: list[str], output: Recorder, context: MakeContext
) -> None:
    bad = ["no row"] * (2 * BATCH)

    summary = await run_import(write(folder, *lines[:2], *bad, lines[2]), context("imp"), output)

    assert set(output.records) == {"imp-2", f"imp-{2 * BATCH + 3}"}
    assert summary["rows"] == 2 * BATCH + 2


async def test_another_import_of_the_file_makes_jobs_of_its_own(
    folder: Path, lines: list[str], output: Recorder, context: MakeContext
) -> None:
    payload = write(folder, *lines)

    for job_id in ("one", "two"):
        await run_import(payload, context(job_id), output)

    assert sorted(output.records) == ["one-2", "one-3", "two-2", "two-3"]


@pytest.mark.parametrize("short", ["a", "0" * 22, "A" * 64, "~AbC", "_-_"])
def test_row_ids_are_ids_a_caller_may_choose(short: str) -> None:
    ids = [row_id(f"{short}.import", line) for line in (2, 10**9, "mail", "from-1000000000")]

    assert len({check_job_id(job_id) for job_id in ids}) == len(ids)
    assert ids == [
        row_id(f"{short}.import", line) for line in (2, 10**9, "mail", "from-1000000000")
    ]


async def test_who_asked_is_told_once(output: Recorder, context: MakeContext) -> None:
    payload = CsvImport(source="stocks.csv", notify="ada@example.com")

    for _ in range(2):
        await run_import(payload, context("imp"), output)

    assert list(output.emails) == ["imp-mail"]
    email = output.emails["imp-mail"]
    assert (email.to, email.template) == ("ada@example.com", "import-finished")
    assert email.values["accepted"] == "3466"


async def test_a_file_changed_between_two_parts_is_not_mixed(
    folder: Path, lines: list[str], output: Recorder, context: MakeContext
) -> None:
    payload = write(folder, *lines)
    resume = {"run": "imp.import", "line": 2, "checksum": "sha256:other"}
    rest = CsvImport.model_validate({**payload.model_dump(), "resume": resume})

    with pytest.raises(Discard, match="has changed"):
        await run_import(rest, context(), output)

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
    class Broken(Recorder):
        async def record(self, records: object) -> int:
            raise ConnectionError("store")

    with pytest.raises(ConnectionError):
        await run_import(CsvImport(source="stocks.csv"), context(), Broken())


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
