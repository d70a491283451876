"""The text of a script: one file per verb under `lua/`, which includes files of `lua/lib/` by
`--- @include "name"`.

Lua has room for 200 local names at a time, GopherLua for a few less. So each included file is a
block, and a name that no other file of the script uses is hidden in it. A file that is only used
inside the block of another one is in that block too, so that its names are hidden with it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "lua"

# Scripts are composed at each start. Patterns that begin with a literal are found several times as
# fast as those that begin with `^` or `\s`; some are therefore applied to "\n" + text.
_INCLUDE = re.compile(r'--- @include "(\w+)"\n')
_COMMENT_LINE = re.compile(r"\n\s*--.*")
_COMMENT = re.compile(r" -- .*")
_SPACES = str.maketrans(dict.fromkeys("()[]{},;=<>~+-*/%^#.:'\"", " "))
_VERB = ""
"""The name of the verb's own file, beside those of `lua/lib/`."""
_DEFINITION = re.compile(r"\nlocal (function )?(\w+(?:,\s*\w+)*)(?=\(| = )")


def verbs() -> list[str]:
    """All verbs that have a script."""
    return sorted(path.stem for path in FOLDER.glob("*.lua"))


def compose(name: str) -> str:
    """The script's text with each of its includes once, without comments."""
    verb = (FOLDER / f"{name}.lua").read_text(encoding="utf-8")
    pieces = _INCLUDE.split(verb)  # code, name of an included file, code, …
    files: dict[str, _File] = {}
    _read(pieces[1::2], files)
    pieces[::2] = [_without_comments(code) for code in pieces[::2]]
    codes = {_VERB: "".join(pieces[::2])} | {one: files[one].code for one in files}
    users = _users(codes, {one for file in files.values() for one in file.defines})
    homes = _homes(pieces[1::2], files, users)
    nested, placed = defaultdict[str, str](str), set[str]()
    for i in range(1, len(pieces), 2):
        for one in _in_order(pieces[i], files, placed):
            nested[homes[one]] += _block(files[one].code, users, nested.pop(one, ""))
        pieces[i] = nested.pop(_VERB, "")
    return "".join(pieces)


def _users(codes: Mapping[str, str], defined: set[str]) -> Mapping[str, set[str]]:
    """Word of those defined -> the files that use it, of all files (name -> code)."""
    users = defaultdict[str, set[str]](set)
    for name, code in codes.items():
        for word in defined.intersection(_words(code)):
            users[word].add(name)
    return users


def _homes(
    names: list[str], files: Mapping[str, _File], users: Mapping[str, set[str]]
) -> Mapping[str, str]:
    """File -> the innermost one in whose block all its users are; _VERB, whose blocks stand side by
    side, if there is none. Users come behind what they use."""
    placed, homes = set[str](), dict[str, str]()
    order = [one for name in names for one in _in_order(name, files, placed)]
    for name in reversed(order):
        using = set[str]().union(*(users[one] for one in files[name].defines)) - {name}
        blocks = [_blocks_around(one, homes) for one in using or {_VERB}]
        homes[name] = next(one for one in blocks[0] if all(one in others for others in blocks))
    return homes


def _blocks_around(name: str, homes: Mapping[str, str]) -> list[str]:
    """The file itself, and those in whose blocks it is, innermost first; _VERB comes last."""
    around = [name if name in homes else _VERB]  # in front of the file: the word means a field
    while around[-1] != _VERB:
        around.append(homes[around[-1]])
    return around


def _without_comments(text: str) -> str:
    return _COMMENT.sub("", _COMMENT_LINE.sub("", "\n" + text))[1:]


def _words(code: str) -> list[str]:
    return code.translate(_SPACES).split()


class _File(NamedTuple):
    """A file of `lua/lib/`: the names of the files that it includes, those that it defines, and its
    code."""

    includes: list[str]
    defines: list[str]
    code: str


def _read(names: list[str], files: dict[str, _File]) -> None:
    """Read these files of `lua/lib/`, and those that they include."""
    for name in names:
        if name not in files:
            text = (FOLDER / "lib" / f"{name}.lua").read_text(encoding="utf-8")
            files[name] = _file(text)
            _read(files[name].includes, files)


def _file(text: str) -> _File:
    code = _without_comments(text)
    defines = [one for _, names in _DEFINITION.findall("\n" + code) for one in _names(names)]
    return _File(_INCLUDE.findall(text), defines, code)


def _names(listed: str) -> list[str]:
    return listed.replace(",", " ").split()


def _in_order(name: str, files: Mapping[str, _File], placed: set[str]) -> Iterator[str]:
    """The file and those that it includes, these first, without those already placed."""
    if name not in placed:
        placed.add(name)
        for included in files[name].includes:
            yield from _in_order(included, files, placed)
        yield name


def _block(code: str, users: Mapping[str, set[str]], nested: str) -> str:
    """The code of an included file with its own names hidden, behind the blocks `nested` in it."""
    visible: list[str] = []

    def define(match: re.Match[str]) -> str:
        is_function, names = match[1], _names(match[2])
        used = [name for name in names if len(users[name]) > 1]
        visible.extend(used)
        if not used:
            return match[0]
        hidden = [name for name in names if name not in used]
        declared = f"\nlocal {', '.join(hidden)}\n" if hidden else "\n"
        return declared + (f"function {names[0]}" if is_function else ", ".join(names))

    body = _DEFINITION.sub(define, "\n" + code)[1:]
    return (f"local {', '.join(visible)}\n" if visible else "") + f"do\n{nested}{body}end\n"
