"""An import that runs out of time leaves the rest to further jobs, and nothing between them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.apps.trading_journal import CsvImport, import_csv
from functions.apps.trading_journal.importing import BATCH, run_import
from shared import Discard, JobContext
from shared.jobs.ids import child_id
from shared.testing import embedded_store

from ..conftest import MakeContext
from .conftest import Recorder, row


def running_out(after: int) -> Iterator[float]:
    return itertools.chain([60.0] * after, itertools.repeat(1.0))


async def finish(
    payload: CsvImport, output: Recorder, make: MakeContext
) -> list[dict[str, object]]:
    """Run an import and every further part of it, each with time for two batches."""
    summaries = []
    queue = {"imp": payload}
    while queue:
        job_id, part = queue.popitem()
        clock = running_out(1)
        job: JobContext = make(job_id, left=lambda clock=clock: next(clock))  # type: ignore[misc]
        summaries.append(await run_import(part, job, output))
        queue, output.rest = output.rest, {}
    return summaries


def part(done: int, summary: dict[str, object]) -> str:
    """The id of the job that goes on after so many lines."""
    return child_id("imp.import", f"from {done} of {summary['checksum']}")


async def test_an_import_short_of_time_goes_on_in_parts_and_misses_no_row(
    output: Recorder, context: MakeContext
) -> None:
    payload = CsvImport(source="stocks.csv", notify="ada@example.com")

    parts = await finish(payload, output, context)

    assert [part.get("continued_by") for part in parts] == [
        *(f"{part(done * BATCH, parts[0])}.import" for done in (2, 4, 6)),
        None,
    ]
    assert set(output.records) == {row(line, parts[0]) for line in range(2, 3468)}
    assert [part["enqueued"] for part in parts] == [1000, 1000, 1000, 466]
    assert (parts[-1]["rows"], parts[-1]["first_date"]) == (3466, "2000-03-01")
    assert len(output.emails) == 1


async def test_parts_make_the_records_that_one_run_makes(context: MakeContext) -> None:
    whole, in_parts = Recorder(), Recorder()

    await run_import(CsvImport(source="stocks.csv"), context("imp"), whole)
    await finish(CsvImport(source="stocks.csv"), in_parts, context)

    assert in_parts.records == whole.records


async def test_a_rest_that_was_cancelled_is_told_by_an_import_under_the_same_id(
    folder: Path, context: MakeContext
) -> None:
    def short() -> JobContext:
        return context("imp", left=lambda: 1.0)

    payload = CsvImport(source="stocks.csv")

    async with embedded_store():
        first = await import_csv(payload, short())
        again = await import_csv(payload, short())
        rest = str(first["continued_by"])
        assert again["continued_by"] == rest
        await import_csv.queue.handle(rest.partition(".")[0]).cancel()

        with pytest.raises(Discard, match=f"{rest}, which is cancelled"):
            await import_csv(payload, short())
