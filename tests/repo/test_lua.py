"""House rules that can be read off the scripts' text; the strict guard proves the rest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.store import keys

FOLDER = Path("shared/store/lua")
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
_COMMENT = re.compile(r"--.*$", re.MULTILINE)


def _code(path: Path) -> str:
    """The script without comments and with its strings emptied."""
    return _COMMENT.sub("", _STRING.sub('""', path.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def scripts(root: Path) -> dict[str, str]:
    scripts = {
        path.relative_to(root / FOLDER).as_posix(): _code(path)
        for path in sorted((root / FOLDER).rglob("*.lua"))
    }
    assert scripts, f"{FOLDER} holds no script: has it moved? Then tell this test."
    return scripts


def test_lua_never_parses_payloads(scripts: dict[str, str]) -> None:
    parsing = [name for name, code in scripts.items() if re.search(r"\b(cjson|cmsgpack)\b", code)]

    assert not parsing, (
        f"JSON through Lua changes numbers and empty lists: pass it opaque: {parsing}"
    )


def test_keys_get_their_names_in_one_place(scripts: dict[str, str]) -> None:
    named = [name for name, code in scripts.items() if "KEYS" in code and name != "lib/keys.lua"]

    assert not named, (
        f"lib/keys.lua names the one vector for all scripts; include it instead: {named}"
    )


def test_the_names_in_lua_are_the_vector_that_python_sends(root: Path) -> None:
    declared = re.search(
        r"local ([A-Z_,\s]+?)\s*=\s*unpack\(KEYS\)", _code(root / FOLDER / "lib/keys.lua")
    )

    assert declared, "lib/keys.lua must name every key in one line: local A, B = unpack(KEYS)"
    names = [name.strip().lower() for name in declared.group(1).split(",")]
    assert names == [*keys.PARTS, "agenda"], (
        "lib/keys.lua and shared/store/keys.py must name the same keys in the same order."
    )


def test_no_script_computes_a_key(scripts: dict[str, str]) -> None:
    call = re.compile(r"\b(?:call|variadic|redis\.p?call)\(\s*(?:\"\"|\w+)\s*,\s*([^,()]+)[,)]")
    computed = [
        f"{name}: {key.strip()}"
        for name, code in scripts.items()
        for key in call.findall(code)
        if ".." in key or key.strip().startswith('"')
    ]

    assert not computed, (
        f"Upstash refuses keys that are not in KEYS: add it to the vector: {computed}"
    )


def test_every_command_is_counted(scripts: dict[str, str]) -> None:
    uncounted = [
        f"{name} ({len(calls)})"
        for name, code in scripts.items()
        if (calls := re.findall(r"\bredis\.p?call\b", code)) and name != "lib/keys.lua"
    ]

    assert not uncounted, f"Use call(...) of lib/keys.lua, or the bill is wrong: {uncounted}"


def test_numbers_never_become_strings_by_concatenation_of_tonumber(scripts: dict[str, str]) -> None:
    joined = [
        name
        for name, code in scripts.items()
        if re.search(r"\.\.\s*tonumber\(|tonumber\([^()]*\)\s*\.\.", code)
    ]

    assert not joined, f"Lua prints large numbers as 1e+15; format with %.0f: {joined}"
