"""The runbooks of docs/operations.md: complete, and each command that they name runs as printed on
a deployment that has the faults."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from shared.cli.exit_codes import Exit
from shared.config.alerts import THRESHOLDS
from shared.drain.report import StopReason
from shared.web.routes import ROUTES
from tests.cli.conftest import ROOT, Cli

PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
Row = list[str]


def rows(heading: str) -> dict[str, Row]:
    """What stands in the first column of a section's tables -> the other columns."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = dict[str, Row]()
    for line in section.splitlines():
        if line.startswith("| `"):
            first, *others = (cell.strip() for cell in line.strip("|").split(" | "))
            found |= dict.fromkeys(re.findall(r"`(\w+)`", first), others)
    return found


RUNBOOKS = rows("Alerts") | rows("Stop reasons")
COMMANDS = sorted(
    {
        command
        for cells in RUNBOOKS.values()
        for cell in cells
        for command in re.findall(r"`tidegate ([^`]+)`", cell)
    }
)


@pytest.mark.parametrize("rule", THRESHOLDS)
def test_each_alert_says_what_it_means_how_to_look_and_what_to_do(rule: str) -> None:
    fires, means, look, do = rows("Alerts")[rule]

    assert all(map(str.strip, (fires, means, look, do)))
    assert "`" in look  # a command, a route, or the name of a line in the log


def test_each_alert_that_has_a_runbook_exists() -> None:
    assert rows("Alerts").keys() == THRESHOLDS.keys()


@pytest.mark.parametrize("reason", StopReason)
def test_each_stop_reason_says_what_it_means_how_to_look_and_what_to_do(reason: StopReason) -> None:
    means, look, do = rows("Stop reasons")[reason]

    assert all(map(str.strip, (means, look, do)))


def test_each_route_that_a_runbook_names_exists() -> None:
    named = set(re.findall(r"`(?:GET )?(/api/[^`]+)`", " ".join(map(str, RUNBOOKS.values()))))

    assert named
    assert {one.replace("QUEUE", "{queue}") for one in named} <= {one.path for one in ROUTES}


class Sick:
    """A deployment with each fault that a command of a runbook looks at: dead letters, waiting
    jobs, a paused queue, a token."""

    def __init__(self, cli: Cli) -> None:
        self._cli = cli
        for _ in range(3):
            cli("enqueue", "work", "file.read", "-p", '{"path": "/nowhere"}')
        cli("drain", "work")
        self.dead = cli("dead", "list", "--json").json["dead_letters"][0]["id"]
        cli("enqueue", "work", "note.keep", "-p", '{"text": "x"}')
        cli("queues", "pause", "slow")
        self.token = cli("tokens", "create", "ci", "--role", "producer", "--json").json["id"]

    def run(self, command: str) -> tuple[Exit, str]:
        """Exit code and output of a command as it is printed, with names for its capitals."""
        name = self.token if command.startswith("tokens") else self.dead
        words = command.replace("QUEUE", "work").replace("ID", name).split()
        ran = self._cli(*words)
        return ran.code, ran.out + ran.err


@pytest.fixture
def sick(cli: Cli) -> Sick:
    return Sick(cli)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_runs_as_printed(
    sick: Sick, command: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if command.startswith(("maintain", "archive")):
        monkeypatch.setenv("DATABASE_URL", request.getfixturevalue("empty_postgres"))

    code, out = sick.run(command)

    assert code is Exit.OK, out
    assert out.strip()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("status", "paused"),
        ("dead list QUEUE", "there is no nowhere"),
        ("dead show ID", "/nowhere"),
        ("jobs list QUEUE --state waiting", "note.keep"),
        ("queues resume QUEUE", "work is"),
        ("tokens list", "ci"),
        ("audit", "queues.pause"),
        ("dead redrive --queue QUEUE --yes", "3 redriven"),
        ("dead delete --queue QUEUE --yes", "3 deleted"),
    ],
)
def test_what_a_command_is_to_show_is_there(sick: Sick, command: str, words: str) -> None:
    assert command in COMMANDS
    assert words in sick.run(command)[1]


def backlog(cli: Cli) -> None:
    cli("enqueue", "work", "note.keep", "-p", "-", stdin='{"text": "x"}\n' * 101)
    cli("alerts", "--evaluate")


def dead(cli: Cli) -> None:
    for _ in range(20):
        cli("enqueue", "work", "file.read", "-p", '{"path": "/nowhere"}')
    cli("drain", "work")


FAULTS: dict[str, tuple[Callable[[Cli], None], str, str]] = {
    "backlog": (backlog, "backlog=100", "drain QUEUE --budget 60"),
    "missed_ticks": (backlog, "missed_ticks=0.001", "drain"),
    "queue_full": (dead, "queue_full=0.00001", "dead delete --queue QUEUE --yes"),
}


@pytest.mark.parametrize("rule", FAULTS)
def test_the_cure_of_a_runbook_ends_its_alert(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    make, thresholds, cure = FAULTS[rule]
    assert any(f"`tidegate {cure}`" in cell for cell in rows("Alerts")[rule])
    off = ",".join(f"{other}=off" for other in THRESHOLDS if other != rule)
    monkeypatch.setenv("TIDEGATE_ALERTS", f"{thresholds},{off}")
    make(cli)
    fired = cli("alerts", "--evaluate", "--json").json["alerts"]

    cli(*cure.replace("QUEUE", "work").split())
    ended = cli("alerts", "--evaluate", "--json").json["alerts"]

    assert [one["rule"] for one in fired] == [rule]
    assert ended == []
