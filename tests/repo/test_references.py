"""What the documents name exists: `tidegate` command lines, make targets, anchors of links."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "tests/README.md"]
_FENCED = re.compile(r"^ *(`{3,})[^`\n]*\n(.*?)^ *\1 *$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)#([^)\s]+)\)")
_SHELL = frozenset({"|", ">", ">>", "&&", ";", "#"})


def _code_lines(text: str) -> Iterator[str]:
    """Every line of a fenced block and every inline code of a page."""
    for match in _FENCED.finditer(text):
        yield from (line.strip().removeprefix("$ ") for line in match[2].splitlines())
    yield from _INLINE.findall(_FENCED.sub("", text))


def _words(line: str) -> list[str]:
    """A command line's words, up to a pipe, a redirection or a comment."""
    words = shlex.split(line, comments=True)
    end = next((i for i, word in enumerate(words) if word in _SHELL), len(words))
    return words[:end]


def _lines_of(program: str) -> Iterator[tuple[str, list[str]]]:
    """(page, words after the program) of every line of the documents that calls it."""
    for page in PAGES:
        for line in _code_lines(page.read_text(encoding="utf-8")):
            if line.removeprefix(".venv/bin/").startswith(f"{program} "):
                yield page.relative_to(ROOT).as_posix(), _words(line)[1:]


def _tool() -> Any:
    return typer.main.get_command(importlib.import_module("shared.cli").app)


def unknown_word(command: Any, words: list[str]) -> str | None:
    """The first command or option of a command line that does not exist; None if all do."""
    while isinstance(command, TyperGroup) and words:
        word, *words = words
        if any(word in parameter.opts for parameter in command.params):  # of the tool: --version
            continue
        subcommand = command.commands.get(word)
        if subcommand is None:
            return word
        command = subcommand
    options = {name for parameter in command.params for name in parameter.opts}
    used = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    return next((name for name in used if name not in {*options, "--help"}), None)


def test_every_command_line_in_the_documents_is_one_of_the_tools() -> None:
    tool = _tool()
    wrong = [
        f"{page}: tidegate {' '.join(words)} (no {missing})"
        for page, words in _lines_of("tidegate")
        if (missing := unknown_word(tool, words)) is not None
    ]

    assert not wrong, f"Correct these command lines, or add the command: {wrong}"


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("status --json", None),
        ("dead list orders --most=5", None),
        ("enqueue orders order.ship -p '{}'", None),
        ("stats", "stats"),
        ("--version", None),
        ("--verbose", "--verbose"),
        ("dead burn ID", "burn"),
        ("drain orders --seconds 60", "--seconds"),
    ],
)
def test_an_unknown_command_or_option_is_named(line: str, missing: str | None) -> None:
    assert unknown_word(_tool(), _words(line)) == missing


def test_the_documents_have_command_lines_to_check() -> None:
    assert len(list(_lines_of("tidegate"))) > 20


def test_every_make_target_in_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    wrong = [
        f"{page}: make {words[0]}" for page, words in _lines_of("make") if words[0] not in targets
    ]

    assert "demo" in targets
    assert not wrong, f"The Makefile has no such target: {wrong}"


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    titles = re.findall(r"^#+ (.+)$", _FENCED.sub("", page.read_text("utf-8")), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", title.lower()) for title in titles]
    return {title.replace(" ", "-") for title in plain}


def test_every_anchor_of_a_link_is_a_heading() -> None:
    wrong = [
        f"{page.relative_to(ROOT)} → {target}#{anchor}"
        for page in PAGES
        for target, anchor in _LINK.findall(_FENCED.sub("", page.read_text("utf-8")))
        if anchor not in _anchors(page.parent / target if target else page)
    ]

    assert not wrong, f"No heading has these anchors: {wrong}"
