"""`tidegate audit`: every command that changes something leaves its rows, and no other does."""

from __future__ import annotations

import getpass
from collections.abc import Iterator

import pytest
import typer
from typer.core import TyperGroup

from shared.cli import app
from shared.cli.exit_codes import Exit
from shared.errors import Unreachable
from shared.store.access import AccessEntries
from shared.web.routes import ROUTES
from tests.cli.conftest import Cli

KEEPS_NONE = {
    *("alerts", "archive list", "archive show", "audit", "demo", "dev", "doctor", "drain"),
    *("enqueue", "events", "maintain", "new", "status", "store"),
    *("dead list", "dead show", "jobs list", "jobs show", "keys check", "keys generate"),
    *(
        "keys list",
        "queues keys",
        "schedules list",
        "schedules show",
        "tokens list",
        "tokens generate",
    ),
}
"""Commands that read, that do what functions do, or that touch no deployment."""
ACTIONS = {
    "queues pause": ("queues.pause", "work"),
    "queues resume": ("queues.resume", "work"),
    "queues purge": ("queues.purge", "work --yes"),
    "queues purge-names": ("queues.purge_names", "work --yes"),
    "repair": ("queues.repair", "work"),
    "schedules pause": ("schedules.pause", "often"),
    "schedules resume": ("schedules.resume", "often"),
    "schedules run": ("schedules.run", "often"),
    "jobs cancel": ("jobs.cancel", "{waiting}"),
    "jobs erase": ("jobs.erase", "--key ada --yes"),
    "dead redrive": ("deadletters.redrive", "{dead}"),
    "dead delete": ("deadletters.delete", "{dead} --yes"),
    "tokens create": ("tokens.create", "ci --role producer"),
    "tokens revoke": ("tokens.revoke", "{token}"),
    "tokens rotate": ("tokens.rotate", "{token}"),
}
COUNTS = {"queues purge": 0, "queues purge-names": 0, "repair": 0, "jobs erase": 0}
"""How many these tell that they have changed; the others are about one thing, and name it."""
WITH_A_DATABASE = {"archive redrive"}
"""Commands whose rows tests/cli/test_archive.py looks at."""
ONLY_COMMANDS = {"queues.repair", "jobs.erase"}


def _commands(command: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    if isinstance(command, TyperGroup):
        for name, subcommand in command.commands.items():
            yield from _commands(subcommand, (*path, name))
    else:
        yield " ".join(path)


def _rows(cli: Cli) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = cli("audit", "--json").json["rows"]
    return rows


def test_every_command_is_either_audited_or_changes_nothing_as_an_operator() -> None:
    assert set(_commands(typer.main.get_command(app))) == (
        KEEPS_NONE | WITH_A_DATABASE | ACTIONS.keys()
    )


def test_a_command_has_the_name_of_its_operation_over_http() -> None:
    verbs = {verb for verb, _words in ACTIONS.values()} - ONLY_COMMANDS

    assert verbs <= {one.name for one in ROUTES if one.is_audited}


@pytest.mark.parametrize("command", ACTIONS)
def test_an_action_is_a_row_that_began_and_one_that_is_done(cli: Cli, command: str) -> None:
    verb, words = ACTIONS[command]
    words = words.format_map(_AuditedObjects(cli))

    ran = cli(*command.split(), *words.split())

    assert ran.code is Exit.OK, ran.err
    done, began = _rows(cli)[:2]
    count = COUNTS.get(command)
    told = "done" if count is None else f"done: {count}"
    assert (done["verb"], done["result"]) == (verb, told)
    assert (began["verb"], began["result"]) == (verb, "began")
    assert done["action"] == began["action"]
    assert done["who"].startswith(f"cli:{getpass.getuser()}@")
    assert "ada" not in done["object"]  # whoever is erased is not named here either


def test_the_row_of_a_bulk_action_tells_how_many_it_has_changed(cli: Cli) -> None:
    for _ in range(3):
        cli("enqueue", "work", "note.keep", "-p", '{"text": "x"}', "--key", "ada")
        cli("enqueue", "work", "file.read", "-p", '{"path": "/nowhere"}')
    cli("jobs", "erase", "--key", "ada", "--yes")
    cli("drain", "work")
    cli("dead", "redrive", "--queue", "work", "--yes")
    cli("drain", "work")
    cli("dead", "delete", "--queue", "work", "--yes")
    cli("enqueue", "work", "note.keep", "-p", "-", stdin='{"text": "x"}\n' * 5)
    cli("queues", "purge", "work", "--yes")

    ended = [(row["verb"], row["result"]) for row in _rows(cli) if row["result"] != "began"]
    assert ended == [
        ("queues.purge", "done: 5"),
        ("deadletters.delete_many", "done: 3"),
        ("deadletters.redrive_many", "done: 3"),
        ("jobs.erase", "done: 3"),
    ]


@pytest.mark.parametrize("verb", ["delete", "redrive"])
def test_the_row_of_letters_that_are_not_there_says_that_none_was_changed(
    cli: Cli, verb: str
) -> None:
    assert cli("dead", verb, "none.work", "--yes").code is Exit.NOT_FOUND
    assert cli("dead", verb, "--queue", "work", "--yes").code is Exit.OK

    whole, _, one, _ = _rows(cli)
    assert (one["object"], one["result"]) == ("none.work", "done: 0")
    assert (whole["object"], whole["result"]) == (
        f"{verb} 0 dead letters of queue 'work'",
        "done: 0",
    )


@pytest.mark.parametrize("verb", ["delete", "redrive"])
@pytest.mark.parametrize("count", [2, 99])
def test_the_row_of_several_letters_names_the_first_ones(cli: Cli, verb: str, count: int) -> None:
    lines = "\n".join('{"path": "/nowhere"}' for _ in range(count))
    cli("enqueue", "work", "file.read", "-p", "-", "--job-id", "letter", stdin=lines)
    cli("drain", "work")
    ids = [f"letter-{n}.work" for n in range(1, count + 1)]

    assert cli("dead", verb, *ids, "--yes").code is Exit.OK

    row = _rows(cli)[0]
    assert row["result"] == f"done: {count}"
    assert f"{count} dead letters of queue 'work': letter-1.work, letter-2.work" in row["object"]
    assert row["object"].endswith("letter-2.work" if count == 2 else ", …")


def test_what_only_reports_leaves_no_row(cli: Cli) -> None:
    cli("repair", "--dry-run")
    cli("jobs", "erase", "--key", "ada", "--dry-run")
    cli("dead", "list")

    assert _rows(cli) == []
    assert cli("audit").out == "no rows\n"


def test_an_action_that_fails_says_so(cli: Cli) -> None:
    assert cli("jobs", "cancel", "none.work").code is Exit.NOT_FOUND

    failed, began = _rows(cli)
    assert (failed["result"], began["result"]) == ("failed: JobNotFound", "began")


def test_nothing_is_done_where_the_audit_can_t_be_written(cli: Cli) -> None:
    async def refuse(self: AccessEntries, row: str) -> None:
        raise Unreachable

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AccessEntries, "append", refuse)
        assert cli("queues", "pause", "work").code is Exit.STORE

    assert cli("queues", "pause", "work").out == "work is paused\n"  # and not "already"


def test_pages_of_the_audit_follow_each_other(cli: Cli) -> None:
    for _ in range(3):
        cli("queues", "pause", "work")

    first = cli("audit", "--most", "4", "--json").json
    second = cli("audit", "--most", "4", "--cursor", first["next"], "--json").json

    assert [len(page["rows"]) for page in (first, second)] == [4, 2]
    assert second["next"] is None
    assert first["rows"] + second["rows"] == _rows(cli)
    assert cli("audit", "--cursor", "odd").code is Exit.USAGE


class _AuditedObjects(dict[str, str]):
    """What a command is about, made where its words name it."""

    def __init__(self, cli: Cli) -> None:
        self._cli = cli

    def __missing__(self, name: str) -> str:
        cli = self._cli
        if name == "token":
            return str(cli("tokens", "create", "x", "--role", "viewer", "--json").json["id"])
        job_type = "note.lose" if name == "dead" else "note.keep"
        options = ["-p", '{"text":"a"}', "--attempts", "1", "--json"]
        job_id = str(cli("enqueue", "work", job_type, *options).json["jobs"][0]["id"])
        if name == "dead":
            cli("drain", "work")
        return job_id
