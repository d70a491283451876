"""Mutations of the Lua scripts: a statement dropped, a comparison turned, one off, another key.

The operators are generic. They name the parts of a queue (shared/store/keys.py) and no function or
variable of the scripts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from .plant import LUA

_STATEMENT = r"(?:[\w.:]+\(.*\)|(?!local\b)[\w.]+(?:\[[^\]]+\])?(?:, [\w.]+)* = .+)"
"""A bare call, or an assignment to names that were declared before."""
_LINE = re.compile(rf"\s*{_STATEMENT}\s*")
_BLOCK = re.compile(rf"(?<=\b)(then|do|else|function [\w.:]*\([\w, .]*\)) {_STATEMENT} (?=end\b)")
"""The only statement of a block within one line."""
_OPEN = re.compile(r"(?:[=,({+*/-]|\.\.|\band|\bor|\bnot)\s*$")
"""A statement that the next line continues."""
_TURNS = (
    *(("<=", "<"), ("<", "<="), (">=", ">"), (">", ">="), ("==", "~="), ("~=", "==")),
    *(("+ 1", "- 1"), ("- 1", "+ 1"), ("and", "or"), ("or", "and"), ("true", "false")),
    *(("false", "true"), ("math.min", "math.max"), ("math.max", "math.min")),
    *(("LPUSH", "RPUSH"), ("RPUSH", "LPUSH")),
)
_OTHER_PART = {
    "high": "low", "low": "normal", "normal": "high", "suspects": "normal",
    "active": "delayed", "delayed": "parked", "parked": "delayed",
    "dead": "completed", "completed": "cancelled", "cancelled": "dead",
}  # fmt: skip
SWAPS = (*_TURNS, *((part.upper(), other.upper()) for part, other in _OTHER_PART.items()))


@dataclass(frozen=True, slots=True)
class Mutant:
    """`file` with one line changed. `text` is the whole file."""

    file: str
    line: int
    what: str
    text: str


def mutants(verbs: Collection[str]) -> Iterator[Mutant]:
    """All of them, file by file: of these verbs' scripts and of the library."""
    for path in sorted(LUA.rglob("*.lua")):
        if path.parent != LUA or path.stem in verbs:
            yield from _of(path.relative_to(LUA).as_posix(), path.read_text(encoding="utf-8"))


def _of(file: str, text: str) -> Iterator[Mutant]:
    lines = text.splitlines(keepends=True)
    for i, line in enumerate(lines):
        code = line.split("--")[0]
        rest = line[len(code) :]
        continued = i > 0 and bool(_OPEN.search(lines[i - 1].split("--")[0]))
        for changed, what in _changes(code.rstrip("\n"), whole=not continued):
            ending = "\n" if code.endswith("\n") else ""
            mutated = "".join([*lines[:i], changed + ending + rest, *lines[i + 1 :]])
            yield Mutant(file, i + 1, what, mutated)


def _changes(code: str, *, whole: bool) -> Iterator[tuple[str, str]]:
    """(the line after a change, the change in words). `whole`: no statement of the line before
    goes on here."""
    if whole and _LINE.fullmatch(code) and _balanced(code):
        yield "", f"dropped {code.strip()}"
    for block in _BLOCK.finditer(code):
        if _balanced(block[0]):
            emptied = f"{code[: block.start()]}{block[1]} {code[block.end() :]}"
            yield emptied, f"emptied {code.strip()}"
    declared = len(code) - len(code.split(" = ", 1)[-1]) if code.lstrip().startswith("local") else 0
    for old, new in SWAPS:
        for match in re.finditer(rf"(?<![\w=<>~]){re.escape(old)}(?![\w=<>])", code):
            if match.start() >= declared and not _in_text(code, match.start()):
                mutated = code[: match.start()] + new + code[match.end() :]
                yield mutated, f"{old} -> {new} in {code.strip()}"


def _balanced(code: str) -> bool:
    """Does the statement end where the text ends, with every bracket closed?"""
    text = re.sub(r'"(?:\\.|[^"\\])*"', "", code)
    pairs = all(text.count(opened) == text.count(closed) for opened, closed in ("()", "{}", "[]"))
    return pairs and not _OPEN.search(text)


def _in_text(code: str, at: int) -> bool:
    """Between quotes, where only the names of commands are changed."""
    return code[:at].count('"') % 2 == 1 and not code[at:].startswith(("LPUSH", "RPUSH"))
