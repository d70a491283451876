"""`tidegate schedules`: list, show, pause, resume and run."""

from __future__ import annotations

import pytest

from shared.cli.exit_codes import Exit
from tests.cli.conftest import Cli, eventually


def test_schedules_are_listed_paused_resumed_and_run(cli: Cli) -> None:
    cli("drain")
    (row,) = cli("schedules", "list", "--json").json["schedules"]
    assert (row["app"], row["name"], row["every"]) == ("sample", "often", 3600)
    assert "sample/often" in cli("schedules", "list").out

    assert cli("schedules", "show", "often").out.endswith("no run yet\n")
    assert cli("schedules", "pause", "often").out == "sample/often is paused\n"
    assert cli("schedules", "pause", "often").out == "sample/often is already paused\n"
    assert cli("schedules", "show", "often", "--json").json["next"] == []
    assert cli("schedules", "resume", "sample/often").out == "sample/often is running\n"

    ran = cli("schedules", "run", "often", "--json").json
    cli("drain", "work")
    assert cli("jobs", "show", ran["id"], "--json").json["result"] == {"kept": "hourly"}
    shown = cli("schedules", "show", "often")
    assert shown.code is Exit.OK
    assert shown.out.splitlines()[-1].split()[-3:] == ["yes", ran["id"], "completed"]


def test_a_drain_of_all_queues_is_a_tick_for_schedules(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_APPS", "tests.cli.second:app")
    assert cli("drain", "seconds", "--json").json["outcomes"] == {}
    assert cli("schedules", "show", "refresh", "--json").json["known"] is False

    cli("drain")

    assert cli("schedules", "show", "refresh", "--json").json["known"] is True
    eventually(
        lambda: bool(cli("drain", "--json").json["outcomes"] == {"done": 1}),
        "the next occurrence runs",
    )


def test_the_next_occurrences_are_written_as_all_instants_are(cli: Cli) -> None:
    shown = cli("schedules", "show", "often").out

    (line,) = (line for line in shown.splitlines() if line.startswith("next"))
    assert line.count(":00:00 UTC") == 5
    assert "+00:00" not in shown


def test_an_unknown_schedule_is_told(cli: Cli) -> None:
    ran = cli("schedules", "show", "never")

    assert ran.code is Exit.NOT_FOUND
    assert "known: sample/often" in ran.err
