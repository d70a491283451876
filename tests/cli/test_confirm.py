"""A command that can't be undone names the store and asks; without a terminal it refuses."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.cli.exit_codes import Exit
from tests.cli.conftest import ROOT, Cli, end

COMMANDS = {
    ("queues", "purge", "work"): "delete 2 waiting and delayed jobs of queue 'work'",
    ("queues", "purge-names", "work"): (
        "delete the deduplication names and idempotency keys of queue 'work' that are held for a "
        "time (of 1 names in all), so that what was enqueued under them may be enqueued once more"
    ),
    ("dead", "delete", "a.work"): "delete 1 dead letter of queue 'work'",
    ("dead", "delete", "a.work", "b.work"): "delete 2 dead letters of queue 'work'",
    ("dead", "delete", "--queue", "work"): "delete 2 dead letters of queue 'work'",
    ("dead", "redrive", "a.work", "b.work"): "redrive 2 dead letters of queue 'work'",
    ("dead", "redrive", "--queue", "work"): "redrive 2 dead letters of queue 'work'",
}
CHANGED = {"purge": (0, 2), "purge-names": (2, 2), "delete": (2, 0), "redrive": (4, 0)}


@pytest.fixture
def counts(cli: Cli) -> dict[str, int]:
    """Two dead letters, one waiting and one delayed job."""
    for name in "ab":
        cli("enqueue", "work", "file.read", "-p", '{"path": "/nowhere/x"}', "--job-id", name)
    cli("drain", "work")
    cli("enqueue", "work", "note.keep", "-p", '{"text": "c"}')
    options = ("--delay", "600", "--dedup", "d", "--dedup-ttl", "600")
    cli("enqueue", "work", "note.keep", "-p", '{"text": "d"}', *options)
    return left(cli)


def left(cli: Cli) -> dict[str, int]:
    counts: dict[str, int] = cli("status", "work", "--json").json["queues"][0]["counts"]
    return counts


@contextmanager
def at_terminal(*args: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A command at a terminal, and the descriptor by which somebody types."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "shared.cli", *args],
        cwd=ROOT,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process, ours
    os.close(theirs)
    os.close(ours)


def answered(answer: str, *args: str) -> tuple[int, str]:
    """The exit code and the output of a command at a terminal where somebody types this."""
    with at_terminal(*args) as (process, keyboard):
        os.write(keyboard, f"{answer}\n".encode())
        out, _ = process.communicate(timeout=30)
    return process.returncode, out


@pytest.mark.parametrize("args", COMMANDS)
def test_without_a_terminal_it_refuses_and_says_what_it_would_do(
    cli: Cli, counts: dict[str, int], data: Path, args: tuple[str, ...]
) -> None:
    ran = cli(*args, "--json")

    assert (ran.code, ran.out, ran.err.count("\n")) == (Exit.USAGE, "", 1)
    assert f"{COMMANDS[args]}, in the embedded store {data}" in ran.err
    assert "--yes" in ran.err
    assert left(cli) == counts


@pytest.mark.parametrize("args", COMMANDS)
def test_with_yes_it_does_it(cli: Cli, counts: dict[str, int], args: tuple[str, ...]) -> None:
    assert cli(*args, "--yes").code is Exit.OK

    after = left(cli)
    gone = 1 if args == ("dead", "delete", "a.work") else 0
    waiting, dead = CHANGED[args[1]]
    assert (after["waiting"] + after["delayed"], after["dead"]) == (waiting, dead + gone)


def test_purged_names_may_be_taken_once_more(cli: Cli, counts: dict[str, int]) -> None:
    again = ("enqueue", "work", "note.keep", "-p", '{"text": "d"}', "--dedup", "d", "--json")
    assert cli(*again).json["jobs"][0]["duplicate"]

    ran = cli("queues", "purge-names", "work", "--yes", "--json")

    assert ran.json == {"queue": "work", "purged": 1, "next": None}
    assert not cli(*again).json["jobs"][0]["duplicate"]
    assert cli("queues", "purge-names", "work", "--yes").out == "0 names deleted\n"


@pytest.mark.parametrize(("answer", "code", "dead"), [("y", 0, 0), ("n", 1, 2), ("", 1, 2)])
def test_at_a_terminal_it_asks(
    cli: Cli, counts: dict[str, int], answer: str, code: int, dead: int
) -> None:
    ended, out = answered(answer, "dead", "delete", "--queue", "work")

    assert (ended, left(cli)["dead"]) == (code, dead)
    assert "This will delete 2 dead letters of queue 'work', in the embedded store" in out
    assert ("nothing was changed" in out) == (code == 1)


def test_one_dead_letter_is_redriven_without_a_question(cli: Cli, counts: dict[str, int]) -> None:
    assert cli("dead", "redrive", "a.work").code is Exit.OK


def test_a_database_is_named_by_its_host_and_prefix(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", "https://eu1-calm-fox.invalid")
    monkeypatch.setenv("UPSTASH_REDIS_REST_TOKEN", "none-of-this-is-shown")

    ran = cli("dead", "delete", "a.work")

    assert "in the database eu1-calm-fox.invalid, prefix 'tidegate'" in ran.err
    assert "none-of-this" not in ran.err


def test_ctrl_c_at_the_question_ends_the_command_at_once(cli: Cli, counts: dict[str, int]) -> None:
    with at_terminal("dead", "delete", "--queue", "work") as (process, _keyboard):
        asked = ""
        while "Go on?" not in asked:
            assert process.stdout is not None
            asked += process.stdout.read(1)
        ran = end(process, signal.SIGINT)

    assert (ran.code, "tidegate: interrupted" in ran.out) == (Exit.INTERRUPTED, True)
    assert left(cli)["dead"] == 2
