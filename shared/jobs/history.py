"""A job's history: its last errors, its result and its progress, as stored behind the body."""

from __future__ import annotations

import json
import math
from typing import Any

from .claim import Claim
from .outcome import Outcome
from .redact import redact

ERRORS_KEPT = 5
TEXT_KEPT = 2_000


def sanitize(text: str) -> str:
    """Text that any sink can hold: capped, valid Unicode, no control characters but newline and
    tab, no secret of this process."""
    capped = redact(text[: 2 * TEXT_KEPT])[:TEXT_KEPT].encode("utf-8", "replace").decode()
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in capped)


def add_to_history(claim: Claim, outcome: Outcome, at_ms: int) -> str:
    """The claim's history with this outcome in it."""
    if not outcome.detail:
        return claim.history
    history: dict[str, Any] = read_history(claim.history)
    detail = dict(outcome.detail)
    error = detail.pop("error", None)
    if error is not None:
        entry = {"at": at_ms, "attempt": claim.attempt, **error}
        before = history.get("errors")
        history["errors"] = [*(before if isinstance(before, list) else ()), entry][-ERRORS_KEPT:]
    history.update(detail)
    history = {name: value for name, value in history.items() if value is not None}
    return json.dumps(history, separators=(",", ":"), ensure_ascii=False) if history else ""


def read_history(text: str) -> dict[str, Any]:
    """The history as a mapping. A damaged one reads as empty."""
    try:
        history = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return history if isinstance(history, dict) else {}


def number(history: dict[str, Any], name: str) -> float:
    """A number of the history; 0 where there is none."""
    value = history.get(name)
    return value if isinstance(value, int | float) and math.isfinite(value) else 0


def rows(history: dict[str, Any], name: str, types: list[type]) -> list[list[Any]]:
    """A list of rows of these types, oldest first. What is damaged is left out."""
    value = history.get(name)
    return [
        row
        for row in (value if isinstance(value, list) else ())
        if isinstance(row, list) and [type(part) for part in row] == types
    ]
