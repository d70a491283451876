"""The way of dead letters from Redis into the archive: read, written, committed, and only then
removed. A stop anywhere repeats a step: a row is written once for each death, and a letter is
removed only as the death that was written."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..declare.queue import Queue
from ..drain.budget import Budget
from ..errors import STORE_DOWN, StoreError
from ..store import Store
from ..store.deaths import OldestDeaths
from .archive import Archive

log = logging.getLogger("tidegate.archive")

KEEP_SECONDS = 900.0
"""Dead letters stay in Redis for this time: callers that wait for a job read there how it ended,
and what died a moment ago is redriven there."""
PAGE = 200


@dataclass(slots=True)
class Tally:
    """What a run has done so far. `archived`: new rows; `removed`: letters that left Redis;
    `refused`: letters that Postgres does not take, which stay; `deleted`: old rows; `unfinished`:
    its time was up; `failed`: queues that the store refuses, with its words."""

    archived: int = 0
    removed: int = 0
    refused: int = 0
    deleted: int = 0
    unfinished: bool = False
    failed: list[str] = field(default_factory=list)


def due_queues(queues: Sequence[Queue], oldest: OldestDeaths) -> list[Queue]:
    """The queues with letters that have been dead for longer than they stay, the oldest first."""
    newest = oldest.now_ms - KEEP_SECONDS * 1000
    due = [one for one in queues if oldest.by_queue.get(one.name, newest + 1) <= newest]
    return sorted(due, key=lambda queue: oldest.by_queue[queue.name])


async def move(
    store: Store, archive: Archive, queues: Sequence[Queue], budget: Budget, tally: Tally
) -> None:
    """Move what is due, a page a queue in turns, and count it in `tally`. A page begins only while
    twice the time of the slowest one so far is left. A queue that the store refuses has no other
    page. Raises StoreError where the store is down, and ArchiveError."""
    lines, longest = deque((queue, 0) for queue in queues), 0.0
    while lines:
        if not budget.allows(2 * longest) or not budget.handler_time():
            tally.unfinished = True
            return
        queue, skip = lines.popleft()
        began = budget.used()
        try:
            left = await _move_page(store, archive, queue, skip, tally)
        except STORE_DOWN:
            raise
        except StoreError as error:
            tally.failed.append(f"{queue.name}: {type(error).__name__}: {error}")
        else:
            if left is not None:
                lines.append((queue, skip + left))
        longest = max(longest, budget.used() - began)


async def _move_page(
    store: Store, archive: Archive, queue: Queue, skip: int, tally: Tally
) -> int | None:
    """How many letters of the page beyond `skip` stay in Redis; None where there are none."""
    deaths = await store.deaths.read(
        queue, dead_for_ms=round(KEEP_SECONDS * 1000), skip=skip, most=PAGE
    )
    if not deaths:
        return None
    lost = [one for one in deaths if not one.record]  # nothing but an id is left of them
    letters = [one for one in deaths if one.record]
    kept, new = await archive.keep(queue, letters) if letters else ([], 0)
    tally.archived += new
    if len(kept) < len(letters):
        ids = [one.id for one in letters if one not in kept]
        tally.refused += len(ids)
        log.error("archive_refused", extra={"queue": queue.name, "ids": ids})
    removed = await store.deaths.remove(queue, [*kept, *lost])
    tally.removed += removed
    return len(deaths) - removed  # others may have removed some
