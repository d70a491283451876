"""Whatever died becomes a row; what Postgres refuses stays in Redis and stops no other."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from shared.archive import archive, rows
from shared.jobs.job import Job
from shared.testing import FakeClock
from tests.archive.world import World
from tests.support.probe import Probe

DEEP = "[" * 5_000 + "]" * 5_000
ODD = {
    "object": '{"user": 7}',
    "nul": '{"a": "x\\u0000y"}',
    "escaped": '{"a": "\\\\u0000y"}',
    "escaped-nul": '{"a": "\\\\\\u0000y"}',
    "surrogate": '{"a": "\\ud800"}',
    "pair": '{"a": "\\ud83d\\ude00"}',
    "huge-number": '{"a": ' + "9" * 200_000 + "}",
    "exponent": '{"a": 1e999999}',
    "tiny-number": '{"a": 1e-20000}',
    "not-a-number": '{"a": NaN}',
    "deep": DEEP,
    "twice": '{"a": 1, "a": 2}',
    "no-json": "neither JSON nor\x00empty",
    "empty": "",
    "large": '{"a": "' + "x" * 3_000_000 + '"}',
}


@pytest.mark.parametrize("name", ODD)
async def test_any_payload_becomes_a_row_that_keeps_its_bytes(dying: World, name: str) -> None:
    job = Job("t", ODD[name], id=name)
    await dying.store.enqueue(dying.queue, [job])
    await dying.die("other")
    report = await dying.maintain()

    assert (report.tally.archived, report.tally.removed, report.tally.refused) == (2, 2, 0)
    by_id = {row["job_id"]: row for row in dying.rows()}
    assert job.body().encode() in by_id[f"{name}.q"]["record"]
    data = by_id[f"{name}.q"]["job_data"]
    assert ("payload" in data) == (name in ("object", "escaped", "pair", "twice", "large"))
    assert data["type"] == "t"


async def test_damaged_and_foreign_records_become_rows_too(dying: World, probe: Probe) -> None:
    await dying.die("damaged", "bytes", "lost", "bare")
    records = probe.key("q", "records")
    await probe.run("HSET", records, "damaged", b"no record \xff\x00\n")
    raw: bytes = await probe.run("HGET", records, "bytes")
    await probe.run("HSET", records, "bytes", raw.replace(b"{}", b"\xff\xfe"))
    await probe.remove("q", "lost")
    report = await dying.maintain()

    assert (report.tally.archived, report.tally.removed) == (3, 4)
    assert await dying.dead() == []
    found = {row["job_id"]: row for row in dying.rows()}
    assert found["damaged.q"]["record"] == b"no record \xff\x00\n"
    assert (found["damaged.q"]["reason"], found["damaged.q"]["fence"]) == ("damaged", 0)
    assert b"\xff\xfe" in found["bytes.q"]["record"]


async def test_errors_with_any_text_become_rows(dying: World, probe: Probe) -> None:
    await dying.die("a")
    raw: bytes = await probe.run("HGET", probe.key("q", "records"), "a")
    history = b'{"errors":[{"at":1,"type":"E\\u0000","message":"\\ud800 no\\u0000","n":1e999}]}'
    await probe.run("HSET", probe.key("q", "records"), "a", raw + history)
    report = await dying.maintain()

    assert (report.tally.archived, report.tally.refused) == (1, 0)
    (row,) = dying.rows()
    assert (row["error_type"], row["error_message"]) == ("E�", "? no�")


async def test_what_postgres_refuses_stays_in_redis_and_stops_no_other(
    dying: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def spoiled(*args: Any, as_text: bool) -> tuple[object, ...]:
        values = rows.row_values(*args, as_text=as_text)
        return (*values[:10], 2**40, *values[11:]) if "bad" in str(values[2]) else values

    monkeypatch.setattr(archive, "row_values", spoiled)
    bad = [f"bad{n:03}" for n in range(250)]  # more than a page, and the oldest
    await dying.die(*bad)
    dying.clock.advance(1)
    await dying.die("good")
    with caplog.at_level(logging.ERROR):
        report = await dying.maintain()

    assert (report.tally.archived, report.tally.refused) == (1, 250)
    assert [row["job_id"] for row in dying.rows()] == ["good.q"]
    assert await dying.dead() == bad
    refused = [vars(one)["ids"] for one in caplog.records if one.msg == "archive_refused"]
    assert sorted(name for names in refused for name in names) == bad

    monkeypatch.undo()
    assert (await dying.maintain()).tally.archived == 250
    assert await dying.dead() == []


async def test_a_record_that_no_clock_knows_the_time_of(dying: World, probe: Probe) -> None:
    await dying.die("a", "b")
    await probe.run("ZADD", probe.key("q", "dead"), -5, "a")
    report = await dying.maintain()

    assert (report.tally.archived, await dying.dead()) == (2, [])


async def test_equal_names_die_again_and_again(dying: World, clock: FakeClock) -> None:
    """The same id dies three times: redriven, and enqueued anew after its letter was archived."""
    await dying.die("a")
    await dying.store.redrive(dying.queue, ["a"])
    await dying.end()
    await dying.maintain()
    await dying.die("a")
    await dying.maintain()

    assert [(row["job_id"], row["fence"]) for row in dying.rows()] == [("a.q", 2), ("a.q", 1)]
