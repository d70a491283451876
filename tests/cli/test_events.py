"""`tidegate events`: what became of jobs, once and as it happens."""

from __future__ import annotations

import json

import pytest

from shared.cli.exit_codes import Exit
from tests.cli.conftest import Cli

NOTE = ("note.keep", "-p", '{"text": "x"}')


@pytest.fixture
def completed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a job whose end was told."""
    monkeypatch.setenv("TIDEGATE_EVENTS", "1")
    assert cli("enqueue", "work", *NOTE, "--job-id", "one").code == Exit.OK
    assert cli("drain").code == Exit.OK
    return "one.work"


def test_a_list_has_the_events_that_are_kept(cli: Cli, completed: str) -> None:
    (event,) = cli("events", "--json").json["events"]

    assert (event["event"], event["id"], event["type"]) == ("completed", completed, "note.keep")
    assert completed in cli("events").out
    assert cli("events", "slow").out == "no events\n"
    assert cli("events", "--event", "failed").out == "no events\n"


def test_a_follower_prints_a_line_an_event_and_ends_after_its_seconds(
    cli: Cli, completed: str
) -> None:
    ran = cli("events", "--follow", "--seconds", "1", "--every", "0.5", "--json")

    (line,) = ran.out.splitlines()
    assert json.loads(line)["id"] == completed
    cursor = ran.err.split()[-1]
    assert cli("events", "--cursor", cursor).out == "no events\n"
    assert completed in cli("events", "--follow", "--seconds", "1", "--every", "0.5").out


def test_where_events_are_off_a_reader_is_told_how_to_switch_them_on(cli: Cli) -> None:
    ran = cli("events")

    assert (ran.code, ran.out) == (Exit.OK, "no events\n")
    assert "TIDEGATE_EVENTS=1" in ran.err


def test_a_follower_is_told_at_once_that_events_are_off(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    off = cli("events", "--follow", "--seconds", "1", "--every", "0.5")
    monkeypatch.setenv("TIDEGATE_EVENTS", "1")
    on = cli("events", "--follow", "--seconds", "1", "--every", "0.5")

    assert (off.code, off.err.count("TIDEGATE_EVENTS=1")) == (Exit.OK, 1)
    assert (on.code, on.err) == (Exit.OK, "")


@pytest.mark.parametrize("option", [("--event", "started"), ("--cursor", "soon")])
def test_what_can_not_be_asked_for_is_refused(cli: Cli, option: tuple[str, str]) -> None:
    assert cli("events", *option).code == Exit.USAGE
