"""House rules that can be read off the scripts' text; the strict guard proves the rest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.store import keys

FOLDER = Path("shared/store/lua")
OWN_KEYS = ("find.lua", "oldest_deaths.lua", "overview.lua", "exchange.lua", "allow.lua")
"""Scripts without the vector of one queue: of several queues, or of none. Each counts by itself."""
FILE_LINES = 90
FUNCTION_LINES = 35
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
    own = {"lib/keys.lua", *OWN_KEYS}
    named = [name for name, code in scripts.items() if "KEYS" in code and name not in own]

    assert not named, (
        f"lib/keys.lua names the one vector for all scripts; include it instead: {named}"
    )


def test_the_names_in_lua_are_the_vector_that_python_sends(root: Path) -> None:
    declared = re.search(
        r"local ([A-Z_,\s]+?)\s*=\s*unpack\(KEYS\)", _code(root / FOLDER / "lib/keys.lua")
    )

    assert declared, "lib/keys.lua must name every key in one line: local A, B = unpack(KEYS)"
    names = [name.strip().lower() for name in declared.group(1).split(",")]
    assert names == [*keys.PARTS, "agenda", "events"], (
        "lib/keys.lua and shared/store/keys.py must name the same keys in the same order."
    )


def test_no_script_computes_a_key(scripts: dict[str, str]) -> None:
    call = re.compile(
        r"\b(?:call|call_chunked|fetch_each|redis\.p?call)\(\s*(?:\"\"|\w+)\s*,\s*([^,()]+)[,)]"
    )
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
        if (calls := re.findall(r"\bredis\.p?call\b", code))
        and name not in {"lib/keys.lua", *OWN_KEYS}
    ]

    assert not uncounted, f"Use call(...) of lib/keys.lua, or the bill is wrong: {uncounted}"


def test_numbers_never_become_strings_by_concatenation_of_tonumber(scripts: dict[str, str]) -> None:
    joined = [
        name
        for name, code in scripts.items()
        if re.search(r"\.\.\s*tonumber\(|tonumber\([^()]*\)\s*\.\.", code)
    ]

    assert not joined, f"Lua prints large numbers as 1e+15; format with %.0f: {joined}"


def _definitions(code: str) -> set[str]:
    """The names that a file declares for those that include it."""
    lists = re.findall(r"^local (?:function )?([A-Za-z_][\w,\s]*?)\s*[=(]", code, re.MULTILINE)
    return {name.strip() for names in lists for name in names.split(",")}


def _uses(code: str) -> set[str]:
    """Names that a file reads. Fields, table keys, its own locals and parameters do not count."""
    declared = re.findall(r"\b(?:local|for) (?:function )?([\w, ]+)", code)
    declared += re.findall(r"function *\w*\(([\w, ]*)\)", code)
    own = {name.strip() for names in declared for name in names.split(",")}
    return set(re.findall(r"(?<![.\w])[A-Za-z_]\w*(?!\w|\s*=[^=])", code)) - own


def test_each_file_includes_what_it_uses_and_nothing_else(
    scripts: dict[str, str], root: Path
) -> None:
    home = {
        name: file.removeprefix("lib/").removesuffix(".lua")
        for file, code in scripts.items()
        if file.startswith("lib/")
        for name in _definitions(code)
    }
    wrong = []
    for file, code in scripts.items():
        text = (root / FOLDER / file).read_text(encoding="utf-8")
        included = set(re.findall(r'^--- @include "(\w+)"', text, re.MULTILINE))
        needed = {home[name] for name in _uses(code) if name in home} - {Path(file).stem}
        if included != needed:
            wrong.append(f"{file} includes {sorted(included)} and uses {sorted(needed)}")

    assert not wrong, f"A file that relies on its includer breaks with it: {wrong}"


def test_a_script_fits_on_a_screen(scripts: dict[str, str], root: Path) -> None:
    function = re.compile(
        r"^(?:local )?function (\w+)(?![^\n]* end\n).*?^end$", re.MULTILINE | re.DOTALL
    )
    long = []
    for file in scripts:
        text = (root / FOLDER / file).read_text(encoding="utf-8")
        sizes = {m[1]: m[0].count("\n") + 1 for m in function.finditer(text)}
        long += [f"{file} ({n})" for n in [text.count("\n")] if n > FILE_LINES]
        long += [f"{file} {name} ({n})" for name, n in sizes.items() if n > FUNCTION_LINES]

    assert not long, f"{FILE_LINES} lines a file, {FUNCTION_LINES} a function: {long}"


def test_one_letter_codes_have_names(scripts: dict[str, str], root: Path) -> None:
    bare = []
    for file in scripts.keys() - {"lib/codes.lua"}:
        code = _COMMENT.sub("", (root / FOLDER / file).read_text(encoding="utf-8"))
        bare += [f"{file}: {letter}" for letter in re.findall(r'"[A-Za-z]"', code)]

    assert not bare, f"The same letter means two things in two tables: use codes.lua: {bare}"
