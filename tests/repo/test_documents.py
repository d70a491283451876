"""The public surface is documented: variables, commands, routes, scripts, public names."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from starlette.routing import BaseRoute, Mount, Route
from typer.core import TyperGroup

import shared

VARIABLE = re.compile(
    r"(?:TIDEGATE|ALPACA|JOURNAL|DOCUMENTS|MAIL|OPENAI|WEATHER|UPSTASH|KV|QSTASH)_[A-Z0-9_]*[A-Z0-9]|CRON_SECRET|DATABASE_URL"
)
_ENVIRONMENT = re.compile(r"environ|getenv|\benv\b")


def _read_variables(modules: dict[str, ast.Module]) -> set[str]:
    """Names of the environment variables that code reads: by our own prefixes, or by a lookup."""
    names = set()
    for tree in modules.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if VARIABLE.fullmatch(node.value):
                    names.add(node.value)
            elif isinstance(node, ast.Subscript | ast.Call) and _ENVIRONMENT.search(
                ast.unparse(node.value if isinstance(node, ast.Subscript) else node.func)
            ):
                keys = [node.slice] if isinstance(node, ast.Subscript) else node.args[:1]
                names |= {
                    key.value
                    for key in keys
                    if isinstance(key, ast.Constant)
                    and isinstance(key.value, str)
                    and re.fullmatch(r"[A-Z][A-Z0-9_]{2,}", key.value)
                }
    return names


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Each command under its whole name."""
    if isinstance(command, TyperGroup):
        for name, subcommand in command.commands.items():
            yield from _commands(subcommand, (*path, name))
    else:
        yield " ".join(path), command


def _paths(routes: list[BaseRoute], prefix: str = "") -> Iterator[str]:
    for route in routes:
        if isinstance(route, Mount):
            yield from (
                _paths(route.routes, prefix + route.path)
                if route.routes
                else (prefix + route.path,)
            )
        elif isinstance(route, Route):
            yield prefix + route.path


def _nameless(text: str) -> str:
    """The text without the names of path parameters: `/jobs/{id}` equals `/jobs/{job_id:path}`."""
    return re.sub(r"\{[^{}/\s]+\}", "{}", text)


def test_every_environment_variable_stands_in_the_one_table(
    modules: dict[str, ast.Module], root: Path
) -> None:
    page = root / "docs" / "configuration.md"
    assert page.is_file(), "docs/configuration.md must hold the one table of environment variables."
    documented = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", page.read_text(encoding="utf-8")))

    read = _read_variables(modules)
    missing = read - documented

    assert "UPSTASH_REDIS_REST_URL" in read, (
        "This test no longer sees what settings read: correct it."
    )
    assert not missing, f"Add a row to docs/configuration.md for each of {sorted(missing)}"


def test_the_table_names_no_variable_that_nothing_reads(
    modules: dict[str, ast.Module], root: Path
) -> None:
    page = root / "docs" / "configuration.md"
    assert page.is_file(), "docs/configuration.md must hold the one table of environment variables."
    rows = re.findall(r"^\|\s*`([A-Z][A-Z0-9_]+)`", page.read_text(encoding="utf-8"), re.MULTILINE)

    unread = set(rows) - _read_variables(modules)

    assert rows, "docs/configuration.md needs a table whose first column is the variable in `code`."
    assert not unread, f"Nothing reads {sorted(unread)}: remove the rows, or read them."


def test_every_command_of_the_tool_is_documented(documents: str) -> None:
    cli = importlib.import_module("shared.cli")
    commands = sorted(name for name, _ in _commands(typer.main.get_command(cli.app)))

    missing = [name for name in commands if f"tidegate {name}" not in documents]

    assert "demo" in commands, "This test no longer sees the commands: correct it."
    assert not missing, f"Show `tidegate <command>` in README.md or docs/ for {missing}"


def _options_by_command(page: str) -> dict[str, set[str]]:
    """The options in the table of docs/cli.md, by command."""
    found: dict[str, set[str]] = {}
    for line in page.partition("\n## Options\n")[2].splitlines():
        commands, _, options = line.strip("| ").partition(" | ")
        for name in re.findall(r"`tidegate ([a-z -]+)`", commands):
            found.setdefault(name, set()).update(re.findall(r"`(--[a-z-]+)", options))
    return found


def test_the_table_of_options_is_that_of_the_commands(root: Path) -> None:
    cli = importlib.import_module("shared.cli")
    documented = _options_by_command((root / "docs/cli.md").read_text(encoding="utf-8"))
    everywhere = {"--json", "--help"}

    taken = {
        name: {option for one in command.params for option in one.opts if option[:2] == "--"}
        for name, command in _commands(typer.main.get_command(cli.app))
    }

    assert taken["store"] >= {"--port", "--json"}, "This test no longer sees options: correct it."
    differ = {
        name: sorted((taken.get(name, set()) ^ documented.get(name, set())) - everywhere)
        for name in taken.keys() | documented.keys()
    }
    assert not {name: options for name, options in differ.items() if options}, (
        "Correct the table under Options in docs/cli.md: these stand there or in the code only."
    )


def test_every_route_is_documented(documents: str) -> None:
    api = importlib.import_module("functions.api")
    paths = sorted(set(_paths(api.app.routes)))

    known = _nameless(documents)
    missing = [path for path in paths if _nameless(path) not in known]

    assert "/healthz" in paths, "This test no longer sees the routes: correct it."
    assert not missing, f"Describe in docs/ what these routes answer: {missing}"


def test_every_script_is_named_in_the_architecture(root: Path) -> None:
    page = root / "docs" / "architecture.md"
    assert page.is_file(), "docs/architecture.md must explain every script."
    text = page.read_text(encoding="utf-8")
    scripts = sorted(path.stem for path in (root / "shared/store/lua").glob("*.lua"))

    missing = [name for name in scripts if not re.search(rf"`{name}(?:\.lua)?`", text)]

    assert scripts, "shared/store/lua holds no script: if it has moved, change this test."
    assert not missing, f"Say in docs/architecture.md what each of these does: {missing}"


def test_every_redis_key_is_named_in_the_architecture(root: Path) -> None:
    keys = importlib.import_module("shared.store.keys")
    page = root / "docs" / "architecture.md"
    assert page.is_file(), "docs/architecture.md must name every Redis key."
    text = page.read_text(encoding="utf-8")

    missing = [
        part for part in (*keys.PARTS, "agenda", "events") if not re.search(rf"\b{part}`", text)
    ]

    assert not missing, f"Add these keys, in `code`, to docs/architecture.md: {missing}"


def _codes_of_table(page: Path, head: str) -> list[str]:
    """The names in the first column of the table with this head."""
    table = page.read_text(encoding="utf-8").partition(head)[2].partition("\n\n")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def test_the_table_of_explanations_has_every_code_and_no_other(root: Path) -> None:
    codes = get_args(importlib.import_module("shared.observe.explain").Code)

    table = _codes_of_table(root / "docs/guides/operating.md", "| code | meaning |")

    assert sorted(table) == sorted(codes)


def test_the_table_of_stop_reasons_has_every_reason_and_no_other(root: Path) -> None:
    reasons = importlib.import_module("shared.drain.report").StopReason

    table = _codes_of_table(root / "docs/operations.md", "| stop | means | look | do |")

    assert sorted(table) == sorted(reasons)


def test_the_names_that_a_decision_says_were_given_are_there(root: Path) -> None:
    page = (root / "docs/decisions/0018-names.md").read_text(encoding="utf-8")
    rows = page.partition("| was | is |")[2].partition("\n\n")[0].splitlines()[2:]
    files = [path for part in ("shared", "functions", "infra") for path in (root / part).rglob("*")]
    text = "\n".join(
        path.relative_to(root).as_posix() + "\n" + path.read_text(encoding="utf-8")
        for path in files
        if path.suffix in (".py", ".lua")
    )

    given = [re.findall(r"`([^`]+)`", row.rpartition(" | ")[2]) for row in rows]
    names = {name for quoted in given for one in quoted for name in re.findall(r"\w\w+", one)}
    missing = sorted(name for name in names if name not in text)

    assert len(names) > 50, "This test no longer sees the table: correct it."
    assert not missing, f"Correct docs/decisions/0018-names.md; nothing is called {missing}"


def test_the_public_surface_is_small_and_sorted() -> None:
    assert shared.__all__ == sorted(shared.__all__), (
        "Sort shared.__all__, so that diffs stay small."
    )
    assert len(set(shared.__all__)) == len(shared.__all__), "shared.__all__ names something twice."
    assert len(shared.__all__) <= 20, (
        "A name in shared.__all__ is kept for years: is the new one needed?"
    )


@pytest.mark.parametrize("name", shared.__all__)
def test_every_public_name_is_there_and_documented(name: str, documents: str) -> None:
    assert hasattr(shared, name), f"shared.__all__ promises {name}, but shared has none."
    assert re.search(rf"`[^`\n]*\b{name}\b|^.*import.*\b{name}\b", documents, re.MULTILINE), (
        f"Explain `{name}` in docs/: it is public."
    )


def test_each_folder_of_tests_has_a_row_in_their_readme(root: Path) -> None:
    folders = {path.parent.name for path in (root / "tests").glob("*/*.py")}
    page = (root / "tests/README.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    named = [name for cell in rows for name in re.findall(r"`(\w+)/`", cell)]

    assert sorted(named) == sorted(folders)
