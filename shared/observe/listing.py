"""Pages of the jobs in one state, over several queues, without their payloads.

The cursor is a position, so jobs that begin or end between two pages may be left out or come twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

from ..declare.queue import Queue
from ..errors import InvalidOption
from ..store import Store
from ..store.codec import State
from ..store.views import ListedJob

STATES: tuple[State, ...] = get_args(State)
MOST_REQUESTS = 20
"""Requests of one page to the store; a page of many empty queues ends short."""


@dataclass(slots=True)
class JobPage:
    """Rows, and the cursor of the next page (None: there is none)."""

    rows: list[ListedJob] = field(default_factory=list)
    next: str | None = None


def check_state(text: str) -> State:
    """The state of that name. Raises InvalidOption."""
    for state in STATES:
        if text == state:
            return state
    raise InvalidOption(f"state: one of {', '.join(STATES)}", "state")


async def list_jobs(
    store: Store, queues: Sequence[Queue], state: State, *, cursor: str | None, most: int
) -> JobPage:
    """Up to `most` jobs of these queues, one queue after the other. Raises InvalidOption for a bad
    cursor."""
    at, first = _read_cursor(cursor, queues)
    page = JobPage()
    for _ in range(MOST_REQUESTS):
        if at == len(queues):
            return page
        wanted = most - len(page.rows)
        rows = await store.list_jobs(queues[at], state, first=first, most=wanted)
        page.rows += rows
        at, first = (at, first + len(rows)) if len(rows) == wanted else (at + 1, 0)
        if len(page.rows) == most:
            break
    page.next = f"{queues[at].name}:{first}" if at < len(queues) else None
    return page


def _read_cursor(cursor: str | None, queues: Sequence[Queue]) -> tuple[int, int]:
    """The index of the queue with which the page begins, and the position within it."""
    if cursor is None:
        return 0, 0
    name, _, position = cursor.rpartition(":")
    at = next((i for i, queue in enumerate(queues) if queue.name == name), None)
    digits = position.isascii() and position.isdecimal() and len(position) < 10
    if at is None or not digits:
        raise InvalidOption("cursor: pass on the `next` of an earlier page.", "cursor")
    return at, int(position)
