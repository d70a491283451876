"""Dead letters of several queues as one list, newest first, page by page.

The cursor names the last row that was read, so rows that are deleted meanwhile shift nothing.
"""

from __future__ import annotations

import base64
import heapq
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from pydantic_core import from_json, to_json

from ..declare.queue import Queue
from ..errors import InvalidOption, TooLarge
from ..jobs.ids import local_id
from ..store import Store
from ..store.views import JobRecord

PAGE = 50
MOST_READ = 1000
"""Rows one request reads at most; a filter that fits few of them ends the page short."""

Position = tuple[int, str, str]
"""(instant, id, queue) of a row: the order of the list, descending."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter of rows; a field that is None does not matter."""

    type: str | None = None
    error: str | None = None

    def fits(self, row: JobRecord) -> bool:
        if self.type is not None and row.type != self.type:
            return False
        return self.error is None or self.error.casefold() in _last_error(row).casefold()


@dataclass(slots=True)
class Page:
    """Rows, and the cursor of the next page (None: there is none)."""

    rows: list[JobRecord] = field(default_factory=list)
    next: str | None = None


async def page(
    store: Store, queues: Sequence[Queue], wanted: Filter, *, cursor: str | None, most: int
) -> Page:
    """Up to `most` dead letters of these queues that fit. Raises InvalidOption for a bad cursor."""
    after = None if cursor is None else _read_cursor(cursor)
    result, read = Page(), 0
    streams = [_rows(store, queue, after) for queue in queues]
    by_name = {queue.name: stream for queue, stream in zip(queues, streams, strict=True)}
    heap = [first for stream in streams if (first := await anext(stream, None)) is not None]
    heapq.heapify(heap)
    while heap:
        head = heapq.heappop(heap)
        read += 1
        if wanted.fits(head.row):
            result.rows.append(head.row)
        successor = await anext(by_name[head.row.queue.name], None)
        if successor is not None:
            heapq.heappush(heap, successor)
        if heap and (len(result.rows) == most or read == MOST_READ):
            result.next = _cursor(head.position)
            break
    return result


@dataclass(frozen=True, slots=True)
class _Head:
    row: JobRecord

    @property
    def position(self) -> Position:
        return self.row.at_ms, local_id(self.row.id), self.row.queue.name

    def __lt__(self, other: _Head) -> bool:
        return self.position > other.position


async def _rows(store: Store, queue: Queue, after: Position | None) -> AsyncIterator[_Head]:
    """A queue's rows beyond a position, newest first, read in pages."""
    newest, skip = ("+inf" if after is None else str(after[0])), 0
    size = PAGE
    while True:
        try:
            rows = await store.browse(queue, "dead", newest=newest, skip=skip, most=size)
        except TooLarge:
            if size == 1:
                raise
            size = max(1, size // 8)  # payloads may be large: fewer at a time
            continue
        for row in rows:
            head = _Head(row)
            if after is None or head.position < after:
                yield head
        if len(rows) < size:
            return
        last = str(rows[-1].at_ms)
        same = sum(str(row.at_ms) == last for row in rows)
        newest, skip = last, skip + same if last == newest else same


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
