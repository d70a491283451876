"""The text of a script: one file per verb under `lua/`, which includes files of `lua/lib/` by
`--- @include "name"`.

Lua has room for 200 local names at a time, GopherLua for a few less. So each included file is a
block, and a name that no other file of the script uses is hidden in it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "lua"

_INCLUDE = re.compile(r'^--- @include "(\w+)"\n', re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*\n|\s+-- .*$", re.MULTILINE)
_SPACES = str.maketrans(dict.fromkeys("()[]{},;=<>~+-*/%^#.:'\"", " "))
_DEFINITION = re.compile(r"^local (function )?(\w+(?:,\s*\w+)*)(?=\(| = )", re.MULTILINE)


def verbs() -> list[str]:
    """All verbs that have a script."""
    return sorted(path.stem for path in FOLDER.glob("*.lua"))


def compose(name: str) -> str:
    """The script's text with each of its includes once, without comments."""
    verb = (FOLDER / f"{name}.lua").read_text(encoding="utf-8")
    pieces = _INCLUDE.split(verb)  # code, name of an included file, code, …
    files: dict[str, _File] = {}
    _read(pieces[1::2], files)
    pieces[::2] = [_COMMENT.sub("", code) for code in pieces[::2]]
    users = Counter(_words("".join(pieces[::2])))
    for file in files.values():
        users.update(_words(file.code))
    placed: set[str] = set()
    for i in range(1, len(pieces), 2):
        names = _in_order(pieces[i], files, placed)
        pieces[i] = "".join(_block(files[name].code, users) for name in names)
    return "".join(pieces)


def _words(code: str) -> set[str]:
    return set(code.translate(_SPACES).split())


class _File(NamedTuple):
    """A file of `lua/lib/`: the names of the files that it includes, and its code."""

    includes: list[str]
    code: str


def _read(names: list[str], files: dict[str, _File]) -> None:
    """Read these files of `lua/lib/`, and those that they include."""
    for name in names:
        if name not in files:
            text = (FOLDER / "lib" / f"{name}.lua").read_text(encoding="utf-8")
            files[name] = _File(_INCLUDE.findall(text), _COMMENT.sub("", text))
            _read(files[name].includes, files)


def _in_order(name: str, files: Mapping[str, _File], placed: set[str]) -> Iterator[str]:
    """The file and those that it includes, these first, without those already placed."""
    if name not in placed:
        placed.add(name)
        for included in files[name].includes:
            yield from _in_order(included, files, placed)
        yield name


def _block(code: str, users: Mapping[str, int]) -> str:
    """The code of an included file with its own names hidden. `users`: word -> how many files of
    the script use it."""
    visible: list[str] = []

    def define(match: re.Match[str]) -> str:
        is_function, names = match[1], match[2].replace(",", " ").split()
        used = [name for name in names if users[name] > 1]
        visible.extend(used)
        if not used:
            return match[0]
        hidden = [name for name in names if name not in used]
        declared = f"local {', '.join(hidden)}\n" if hidden else ""
        return declared + (f"function {names[0]}" if is_function else ", ".join(names))

    body = _DEFINITION.sub(define, code)
    return (f"local {', '.join(visible)}\n" if visible else "") + f"do\n{body}end\n"
