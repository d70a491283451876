"""Help of every command is instant; asserted by the modules that are loaded, not by time."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata

import pytest

from shared.cli import app
from shared.cli.exit_codes import Exit
from tests.cli.conftest import ROOT, Cli

COMMANDS = (
    *("new", "demo", "dev", "store", "enqueue", "drain", "status", "audit", "doctor", "repair"),
    *("alerts", "events"),
    *("tokens create", "tokens list", "tokens revoke", "tokens rotate", "tokens generate"),
    *("jobs show", "jobs cancel", "dead list", "dead show", "dead redrive", "dead delete"),
    *(
        "jobs list",
        "jobs erase",
        "keys generate",
        "keys list",
        "keys check",
        "queues pause",
        "queues resume",
        "queues keys",
        "queues purge",
        "queues purge-names",
    ),
    *("maintain", "archive list", "archive show", "archive redrive"),
    *("schedules list", "schedules show", "schedules pause", "schedules resume", "schedules run"),
)
HEAVY = {
    *("rich", "httpx", "upstash_redis", "starlette", "uvicorn", "uvloop", "hiredis", "asyncio"),
    *("fakeredis", "shared.store", "shared.embedded", "shared.web", "shared.drain", "functions"),
    "psycopg",
}
PROBE = """
import json, sys
sys.argv = ["tidegate", *{args!r}]
from shared.cli import main
try:
    main()
except SystemExit as end:
    print(json.dumps([end.code, sorted(sys.modules)]))
"""


@pytest.mark.parametrize("args", [["--help"], ["enqueue", "--help"], ["dead", "redrive", "-h"]])
def test_help_loads_neither_a_client_nor_a_server_nor_a_table_library(args: list[str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROBE.format(args=args)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    code, modules = json.loads(ran.stdout.splitlines()[-1])
    assert code == 0
    assert "Usage: tidegate" in ran.stdout
    assert not HEAVY.intersection(modules)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_description_and_a_json_option(cli: Cli, command: str) -> None:
    ran = cli(*command.split(), "--help")

    assert ran.code is Exit.OK
    assert "--json" in ran.out
    assert len(ran.out.splitlines()[2].strip()) > 20


def test_the_list_above_is_complete() -> None:
    groups = {group.name: group.typer_instance for group in app.registered_groups}
    names = {command.name for command in app.registered_commands}
    for name, group in groups.items():
        assert group is not None
        for command in group.registered_commands:
            assert command.callback is not None
            names.add(f"{name} {command.name or command.callback.__name__}")

    assert names == set(COMMANDS)


def test_an_unknown_command_is_a_usage_error(cli: Cli) -> None:
    ran = cli("explode")

    assert (ran.code, "No such command" in ran.err) == (Exit.USAGE, True)


def test_the_version_is_that_of_the_package(cli: Cli) -> None:
    assert cli("--version").out == f"tidegate {metadata.version('tidegate')}\n"
