"""Pages of dead letters: a filter, a number of rows, and a cursor for the next page.

The cursor names the last row that was read, so rows that are deleted meanwhile shift nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic_core import from_json, to_json

from ..declare.queue import Queue
from ..errors import InvalidOption
from ..store import Store
from ..store.decrypt import decrypted
from ..store.views import JobRecord
from .stream import PAGE, Position, dead_letters, position_of

MOST_READ, MOST_BYTES = 1000, 2 * 2**20
"""Rows one request reads at most, and bytes of their histories, about; a filter that fits few of
them ends the page short."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter of rows; a field that is None does not matter."""

    type: str | None = None
    error: str | None = None

    def fits(self, row: JobRecord) -> bool:
        """True if the row has the type, and its last error the text (in any case)."""
        if self.type is not None and row.type != self.type:
            return False
        return self.error is None or self.error.casefold() in _last_error(row).casefold()


@dataclass(slots=True)
class DeadLetterPage:
    """Rows, and the cursor of the next page (None: there is none)."""

    rows: list[JobRecord] = field(default_factory=list)
    next: str | None = None


async def page(
    store: Store,
    queues: Sequence[Queue],
    criteria: Filter,
    *,
    cursor: str | None,
    most: int,
    decrypt: bool = False,
) -> DeadLetterPage:
    """Up to `most` dead letters of these queues that fit. `decrypt`: with the texts of encrypted
    errors, for readers who may see them; without it a filter can't find by such texts either.
    Raises InvalidOption for a bad cursor."""
    after = None if cursor is None else _read_cursor(cursor)
    # One more tells whether there is a next page. A filter may need any number.
    size = PAGE if criteria != Filter() else min(PAGE, most + 1)
    stream = dead_letters(store, queues, after=after, size=size)
    result, read, size_read = DeadLetterPage(), 0, 0
    row = await anext(stream, None)
    while row is not None:
        read, size_read = read + 1, size_read + len(str(row.history))
        row = decrypted(row, store.keyring) if decrypt else row
        if criteria.fits(row):
            result.rows.append(row)
        successor = await anext(stream, None)
        if successor is not None and (
            len(result.rows) == most or read == MOST_READ or size_read >= MOST_BYTES
        ):
            result.next = _cursor(position_of(row))
            break
        row = successor
    return result


def _last_error(row: JobRecord) -> str:
    if not row.errors:
        return row.reason or ""
    last = row.errors[-1]
    return f"{last.get('type', '')}: {last.get('message', '')}"


def _cursor(position: Position) -> str:
    return base64.urlsafe_b64encode(to_json(position)).decode().rstrip("=")


def _read_cursor(text: str) -> Position:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        instant, job_id, queue = from_json(raw)
    except (ValueError, TypeError):
        raise InvalidOption("cursor: pass on the `next` of an earlier page.", "cursor") from None
    ok = type(instant) is int and 0 <= instant < 2**53
    if not (ok and isinstance(job_id, str) and isinstance(queue, str)):
        raise InvalidOption("cursor: pass on the `next` of an earlier page.", "cursor")
    return instant, job_id, queue
