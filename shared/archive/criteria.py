"""Filters of the archive's rows and the cursor of their pages, checked and turned into SQL."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic_core import from_json, to_json

from ..errors import InvalidOption
from ..jobs.body import to_text

LONGEST_PAYLOAD = 2_000
Position = tuple[datetime, int]
"""(instant of the death, id) of a row: the order of the pages, descending."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """A filter of rows; a field that is None does not matter. `error`: text in the last error, in
    any case. `since` ≤ death < `until`: ISO 8601 with an offset. `payload`: a JSON object whose
    fields the payload has too. `redriven`: whether its job was made again from this row."""

    type: str | None = None
    error: str | None = None
    since: str | None = None
    until: str | None = None
    payload: str | None = None
    redriven: bool | None = None

    def conditions(self) -> tuple[list[str], list[object]]:
        """SQL conditions, to be joined by AND, and their values. Raises InvalidOption, which names
        the field."""
        parts: list[tuple[str, list[object]]] = []
        if self.type is not None:
            parts.append(("job_type = %s", [_text(self.type, "type")]))
        if self.error is not None:
            like = f"%{_escaped(_text(self.error, 'error'))}%"
            parts.append(("concat_ws(': ', error_type, error_message, reason) ILIKE %s", [like]))
        if self.since is not None:
            parts.append(("failed_at >= %s", [_instant(self.since, "since")]))
        if self.until is not None:
            parts.append(("failed_at < %s", [_instant(self.until, "until")]))
        if self.payload is not None:
            parts.append(("job_data @> %s::jsonb", [_required_data(self.payload)]))
        if self.redriven is not None:
            parts.append((f"redriven_at IS {'NOT ' * self.redriven}NULL", []))
        return [sql for sql, _ in parts], [value for _, values in parts for value in values]


def write_cursor(position: Position) -> str:
    """The text with which the next page begins behind this row."""
    micros = round(position[0].timestamp() * 1_000_000)
    return base64.urlsafe_b64encode(to_json([micros, position[1]])).decode().rstrip("=")


def read_cursor(text: str) -> Position:
    """The row behind which a page begins. Raises InvalidOption."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        micros, row = from_json(raw)
        if type(micros) is not int or type(row) is not int or not 0 <= row < 2**63:
            raise ValueError("not two whole numbers")
        return datetime.fromtimestamp(micros / 1_000_000, UTC), row
    except (ValueError, TypeError, OverflowError, OSError):
        raise InvalidOption("cursor: pass on the `next` of an earlier page.", "cursor") from None


def _required_data(payload: str) -> str:
    """What `job_data` has to contain. Raises InvalidOption for what is no JSON object, or none that
    Postgres can compare."""
    try:
        value = from_json(payload[: LONGEST_PAYLOAD + 1], allow_inf_nan=False)
        if not isinstance(value, dict) or not value or _has_nul(value):
            raise ValueError("no object with fields")
        return to_text({"payload": value})
    except ValueError:
        raise InvalidOption(
            f'payload: a JSON object of fields and their values, such as {{"user": 7}}, of at most '
            f"{LONGEST_PAYLOAD} characters",
            "payload",
        ) from None


def _has_nul(value: object) -> bool:
    if isinstance(value, dict):
        return any(_has_nul(one) for pair in value.items() for one in pair)
    if isinstance(value, list):
        return any(_has_nul(one) for one in value)
    return isinstance(value, str) and "\0" in value


def _instant(text: str, name: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            raise ValueError("no offset")
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidOption(
            f"{name}: an ISO 8601 instant with its offset, e.g. 2026-01-17T09:00:00Z", name
        ) from None


def _text(text: str, name: str) -> str:
    if "\0" in text:
        raise InvalidOption(f"{name}: no NUL characters", name)
    return text.encode("utf-8", "replace").decode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def where(prefix: str, queues: Sequence[str], criteria: Criteria) -> tuple[str, list[object]]:
    """The WHERE clause of these rows, and its values. Raises InvalidOption."""
    conditions, values = criteria.conditions()
    sql = " AND ".join(["prefix = %s", "queue_name = ANY(%s)", *conditions])
    return sql, [prefix, list(queues), *values]
