"""`tidegate alerts`: evaluates, lists what fires, and says by its exit code if anything does."""

from __future__ import annotations

import pytest

from shared.cli.exit_codes import Exit
from tests.cli.conftest import Cli

NOTE = ("note.keep", "-p", '{"text": "x"}')


def test_alerts_are_evaluated_listed_and_told_by_the_exit_code(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_ALERTS", "work/backlog=0.5")
    before = cli("alerts")
    assert (before.code, "have not been evaluated" in before.err) == (Exit.OK, True)
    cli("enqueue", "work", *NOTE)

    once = cli("alerts", "--evaluate")
    assert (once.code, "no alert fires; evaluated at" in once.out) == (Exit.OK, True)
    fired = cli("alerts", "--evaluate", "--json")
    listed = cli("alerts")

    (alert,) = fired.json["alerts"]
    assert (alert["rule"], alert["queue"], alert["value"]) == ("backlog", "work", 1)
    assert (fired.code, listed.code) == (Exit.FAILED, Exit.FAILED)
    assert "backlog" in listed.out


def test_a_threshold_that_cannot_be_read_is_one_sentence(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_ALERTS", "backlogs=5")

    ran = cli("alerts", "--evaluate")

    assert ran.code is Exit.CONFIGURATION
    assert ran.err.startswith("tidegate: TIDEGATE_ALERTS: write rule=number")


def test_a_maintain_run_evaluates_them_too(
    cli: Cli, empty_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_postgres)
    monkeypatch.setenv("TIDEGATE_ALERTS", "work/backlog=0.5")
    cli("enqueue", "work", *NOTE)

    assert [cli("maintain").code for _ in range(2)] == [Exit.OK, Exit.OK]

    (alert,) = cli("alerts", "--json").json["alerts"]
    assert (alert["rule"], alert["queue"]) == ("backlog", "work")
