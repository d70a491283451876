"""The dead letters of several queues as one stream, newest first, read from the store in pages."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from ..declare.queue import Queue
from ..errors import TooLarge
from ..jobs.ids import local_id
from ..store import Store
from ..store.views import JobRecord

PAGE = 50

Position = tuple[int, str, str]
"""(instant, id, queue) of a row: the order of the stream, descending."""


def position_of(row: JobRecord) -> Position:
    """The place of a row in the stream."""
    return row.at_ms, local_id(row.id), row.queue.name


async def dead_letters(
    store: Store, queues: Sequence[Queue], *, after: Position | None = None, size: int = PAGE
) -> AsyncIterator[JobRecord]:
    """Every dead letter of these queues beyond a position, the newest first. `size`: rows of the
    first read from each queue; later ones grow to a page."""
    streams = {queue.name: _rows(store, queue, after, size) for queue in queues}
    heads: list[_Head] = []
    for rows in streams.values():
        await _push_next(heads, rows)
    while heads:
        row = heapq.heappop(heads).row
        yield row
        await _push_next(heads, streams[row.queue.name])


async def _push_next(heads: list[_Head], rows: AsyncIterator[JobRecord]) -> None:
    row = await anext(rows, None)
    if row is not None:
        heapq.heappush(heads, _Head(row))


@dataclass(frozen=True, slots=True)
class _Head:
    """The next row of one queue. The newest of several sorts first."""

    row: JobRecord

    def __lt__(self, other: _Head) -> bool:
        return position_of(self.row) > position_of(other.row)


async def _rows(
    store: Store, queue: Queue, after: Position | None, size: int
) -> AsyncIterator[JobRecord]:
    newest, skip = ("+inf" if after is None else str(after[0])), 0
    largest = PAGE
    while True:
        try:
            rows = await store.browse(queue, "dead", newest=newest, skip=skip, most=size)
        except TooLarge:
            if size == 1:
                raise
            largest = size = max(1, size // 8)  # histories may be large: fewer at a time
            continue
        for row in rows:
            if after is None or position_of(row) < after:
                yield row
        if len(rows) < size:
            return
        last = str(rows[-1].at_ms)
        same = sum(str(row.at_ms) == last for row in rows)
        newest, skip = last, skip + same if last == newest else same
        size = min(largest, size * 4)
