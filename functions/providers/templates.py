"""Emails from templates: how a template is filled. Sends nothing."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template

from shared import Discard

_BREAKING = frozenset({"Cc", "Zl", "Zp", "Cs"})
"""Control characters and line ends of every kind, and halves of characters. Spaces and joiners of
other scripts (U+3000, U+200C) are ordinary text."""
LONGEST_LINE = 254
"""Characters of a header line: the longest legal address, and more than a subject needs."""


@dataclass(frozen=True, slots=True)
class Email:
    """A filled template. `subject` is one line; in `html` every value is escaped."""

    to: str
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A template. Its values stand between tags, never inside a tag: escaping is not enough for a
    link or a style."""

    subject: Template
    text: Template
    html: Template


def fill(draft: Draft, to: str, values: Mapping[str, object]) -> Email:
    """The filled template. Raises Discard for a missing value, or one that would break out of the
    subject line: no retry could correct these."""
    plain = {name: str(value) for name, value in values.items()}
    escaped = {name: html.escape(value, quote=True) for name, value in plain.items()}
    return Email(
        to=_line("to", to),
        subject=_line("subject", _substitute(draft.subject, plain)),
        text=_substitute(draft.text, plain),
        html=_substitute(draft.html, escaped),
    )


def _substitute(template: Template, values: Mapping[str, str]) -> str:
    try:
        return template.substitute(values)
    except KeyError as error:
        raise Discard(f"the template needs a value for {error.args[0]!r}") from error


def _line(name: str, text: str) -> str:
    breaking = next((c for c in text if unicodedata.category(c) in _BREAKING), None)
    if breaking is not None:
        raise Discard(f"{name}: a value in it has U+{ord(breaking):04X}, which may end the line")
    if len(text) > LONGEST_LINE:
        raise Discard(f"{name}: longer than {LONGEST_LINE} characters; shorten its values")
    return text
