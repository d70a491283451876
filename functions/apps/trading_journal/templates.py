"""The journal's email templates and how they are filled. Sends nothing."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template

from shared import Discard

from .payloads import EmailMessage

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
class _Draft:
    subject: Template
    text: Template
    html: Template


# Values stand between tags, never inside a tag: escaping is not enough for a link or a style.
_DRAFTS = {
    "welcome": _Draft(
        Template("Welcome to your trading journal, $name"),
        Template("Hello $name,\n\nyour journal is ready. Import a price file to begin.\n"),
        Template("<p>Hello $name,</p><p>your journal is ready. Import a price file to begin.</p>"),
    ),
    "import-finished": _Draft(
        Template("Import finished: $accepted of $rows rows"),
        Template("$source\n\n$accepted of $rows rows accepted, from $first_date to $last_date.\n"),
        Template(
            "<p><code>$source</code></p>"
            "<p>$accepted of $rows rows accepted, from $first_date to $last_date.</p>"
        ),
    ),
}


def render(message: EmailMessage) -> Email:
    """The filled template. Raises Discard for an unknown template, a missing value, or a value that
    would break out of the subject line: no retry could correct these."""
    draft = _DRAFTS.get(message.template)
    if draft is None:
        known = ", ".join(sorted(_DRAFTS))
        raise Discard(f"no template {message.template!r}; known: {known}")
    plain = {name: str(value) for name, value in message.values.items()}
    escaped = {name: html.escape(value, quote=True) for name, value in plain.items()}
    return Email(
        to=_line("to", message.to),
        subject=_line("subject", _fill(draft.subject, plain)),
        text=_fill(draft.text, plain),
        html=_fill(draft.html, escaped),
    )


def _fill(template: Template, values: Mapping[str, str]) -> str:
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
