"""Mutations of the Lua scripts: a call dropped, a comparison turned, one off, another key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .plant import LUA

READING = ("browse.lua", "inspect.lua", "stats.lua")
"""Scripts that write nothing: the simulator does not read what they tell (tests/store does)."""

_DROPPED = re.compile(
    r"^\s*(?:call|variadic|push|push_front|place|note|save|finish|forget|carry_out|trim|remember|"
    r"write_state|store_records|reschedule|call_to_work|line_up|hold|drop_orphans|take_in|refill|"
    r"recover_and_promote|table\.insert|q\.count|settle_one|wake_one|recover_one)\(.*\)(?: --.*)?$"
)
_SWAPS = (
    *(("<=", "<"), ("<", "<="), (">=", ">"), (">", ">="), ("==", "~="), ("~=", "==")),
    *(("+ 1", "- 1"), ("- 1", "+ 1"), ("and", "or"), ("or", "and"), ("true", "false")),
    *(("false", "true"), ("math.min", "math.max"), ("math.max", "math.min")),
    *(("HIGH", "LOW"), ("LOW", "NORMAL"), ("NORMAL", "HIGH"), ("SUSPECTS", "NORMAL")),
    *(("DELAYED", "PARKED"), ("PARKED", "DELAYED"), ("ACTIVE", "DELAYED"), ("DEAD", "COMPLETED")),
    *(("COMPLETED", "CANCELLED"), ("CANCELLED", "DEAD"), ("LPUSH", "RPUSH"), ("RPUSH", "LPUSH")),
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """`file` with one line changed; `text` is all of it."""

    file: str
    line: int
    what: str
    text: str


def mutants() -> Iterator[Mutant]:
    """All of them, file by file."""
    for path in sorted(LUA.rglob("*.lua")):
        file = path.relative_to(LUA).as_posix()
        if file not in READING:
            yield from _of(file, path.read_text(encoding="utf-8"))


def _of(file: str, text: str) -> Iterator[Mutant]:
    lines = text.splitlines(keepends=True)
    for i, line in enumerate(lines):
        code = line.split("--")[0]
        if not code.strip() or code.lstrip().startswith("local RECORDS"):
            continue
        for changed, what in _changed(code):
            rest = line[len(code) :]
            mutated = "".join([*lines[:i], changed + rest, *lines[i + 1 :]])
            yield Mutant(file, i + 1, what, mutated)


def _changed(code: str) -> Iterator[tuple[str, str]]:
    if _DROPPED.match(code.rstrip("\n")):
        yield "\n", f"dropped {code.strip()}"
    for old, new in _SWAPS:
        for match in re.finditer(rf"(?<![\w=<>~]){re.escape(old)}(?![\w=<>])", code):
            if _in_text(code, match.start()):
                continue
            mutated = code[: match.start()] + new + code[match.end() :]
            yield mutated, f"{old} -> {new} in {code.strip()}"


def _in_text(code: str, at: int) -> bool:
    """Between quotes, where only the names of commands are changed."""
    return code[:at].count('"') % 2 == 1 and not code[at:].startswith(("LPUSH", "RPUSH"))
