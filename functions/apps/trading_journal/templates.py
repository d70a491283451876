"""The journal's email templates."""

from __future__ import annotations

from string import Template

from functions.providers.templates import Draft, Email, fill
from shared import Discard

from .payloads import EmailMessage

_DRAFTS = {
    "welcome": Draft(
        Template("Welcome to your trading journal, $name"),
        Template("Hello $name,\n\nyour journal is ready. Import a price file to begin.\n"),
        Template("<p>Hello $name,</p><p>your journal is ready. Import a price file to begin.</p>"),
    ),
    "import-finished": Draft(
        Template("Import finished: $accepted of $rows rows"),
        Template("$source\n\n$accepted of $rows rows accepted, from $first_date to $last_date.\n"),
        Template(
            "<p><code>$source</code></p>"
            "<p>$accepted of $rows rows accepted, from $first_date to $last_date.</p>"
        ),
    ),
}


def render(message: EmailMessage) -> Email:
    """The filled template. Raises Discard for an unknown template, and where `fill` does."""
    draft = _DRAFTS.get(message.template)
    if draft is None:
        known = ", ".join(sorted(_DRAFTS))
        raise Discard(f"no template {message.template!r}; known: {known}")
    return fill(draft, message.to, message.values)
