"""`tidegate schedules`: list, show, pause, resume and run."""

from __future__ import annotations

from shared.cli.exit_codes import Exit
from tests.cli.conftest import Cli


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


def test_an_unknown_schedule_is_told(cli: Cli) -> None:
    ran = cli("schedules", "show", "never")

    assert ran.code is Exit.NOT_FOUND
    assert "known: sample/often" in ran.err
