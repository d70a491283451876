"""The archive's function: an event in, a report out; with and without a database."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import psycopg
import pytest

from shared import ConfigurationError
from tests.functions.recorded import Context, event
from tests.functions.sample import Number, fail, other

NOBODY = "postgresql://me:the-password@127.0.0.1:9/none"
Load = Callable[[str], ModuleType]


def test_a_run_moves_what_died_into_the_archive(
    environment: Callable[..., None],
    cold_start: Load,
    store_says: Callable[..., Any],
    empty_postgres: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment("lambda", DATABASE_URL=empty_postgres)
    monkeypatch.setattr("shared.archive.move.KEEP_SECONDS", 0)
    store_says("enqueue", other, [fail.job(Number(n=7), attempts=1)])
    cold_start("functions.drain").handler(event("schedule"), Context())
    maintain = cold_start("functions.maintain").handler

    report = maintain(event("schedule"), Context())

    assert (report["stop"], report["archived"], report["removed"]) == ("done", 1, 1)
    assert json.loads(json.dumps(report)) == report
    assert maintain(event("schedule"), Context())["archived"] == 0
    with psycopg.connect(empty_postgres) as db:
        rows = db.execute("SELECT queue_name, job_data -> 'payload' FROM job_failures").fetchall()
    assert rows == [("other", {"n": 7})]


def test_without_a_database_it_does_nothing(
    environment: Callable[..., None], cold_start: Load
) -> None:
    environment("lambda", DATABASE_URL=None)
    report = cold_start("functions.maintain").handler(event("schedule"), Context())

    assert (report["stop"], report["billed_commands"]) == ("off", 0)


def test_a_database_that_fails_is_told_in_the_report_and_not_raised(
    environment: Callable[..., None], cold_start: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    environment("lambda", DATABASE_URL=NOBODY)
    report = cold_start("functions.maintain").handler(event("schedule"), Context())

    assert (report["stop"], report["error"].startswith("ArchiveError: ")) == ("error", True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (line,) = (one for one in lines if one["message"] == "maintained")
    assert (line["level"], line["stop"]) == ("ERROR", "error")
    assert "the-password" not in str(report) + str(line)


def test_a_configuration_that_can_not_work_fails_the_cold_start(
    environment: Callable[..., None], cold_start: Load
) -> None:
    environment("lambda", TIDEGATE_ARCHIVE_DAYS="0")
    with pytest.raises(ConfigurationError, match="TIDEGATE_ARCHIVE_DAYS"):
        cold_start("functions.maintain")
