"""The events of one deployment as turns tell them (lua/lib/events.lua): what became of which job,
and nothing that a job carries. Only the last turns that told some are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import InvalidOption
from ..jobs.ids import public_id
from . import keys
from .client.rest import Rest
from .codec import STATES

KINDS = {"c": "completed", "f": "failed", "s": "stalled", "p": "progress"}
"""The kinds of events, by their letters (lua/lib/codes.lua)."""
TURNS = 20
"""Turns whose events one page holds at most."""
_CURSOR = re.compile(r"[0-9]{1,15}-[0-9]{1,15}\Z")


class Event(NamedTuple):
    """One event. `at_ms`: store time. `state`: the job's after it. `attempt`: the number of the
    attempt that it is about, from 1. `progress`: the last that was reported, 0 to 100, or None.
    `type` and `progress` are None where the function that ran the job died."""

    kind: str
    at_ms: int
    queue: str
    id: str
    type: str | None
    state: str
    attempt: int
    progress: float | None


class EventPage(NamedTuple):
    """Events of whole turns, oldest first. `next`: the cursor behind them; None: there never were
    any. `trimmed`: some before them are gone, of which queue is not known, or the cursor is of
    another store. `cut`: the queues of which one turn had too many. `more`: there may be more at
    once."""

    events: list[Event]
    next: str | None
    trimmed: bool
    cut: frozenset[str]
    more: bool


async def read_events(rest: Rest, prefix: str, cursor: str | None) -> EventPage:
    """The events behind a cursor, without one from the oldest that is kept. One command, and a
    second for a cursor beyond the last event: its page is a gap, and ends at that event. Raises
    InvalidOption for what is no cursor, and StoreError."""
    if cursor is not None and not _CURSOR.match(cursor):
        raise InvalidOption("cursor: the `next` of a page of events", "cursor")
    # The cursor's own entry tells whether anything between is gone.
    command: list[str | int] = [
        "XRANGE",
        keys.events(prefix),
        cursor or "-",
        "+",
        "COUNT",
        TURNS + 1,
    ]
    entries = await rest.execute(command, "events") or []
    if not entries and cursor is not None:  # not even its own: the store lost it, or never had it
        last_entry = await rest.execute(
            ["XREVRANGE", keys.events(prefix), "+", "-", "COUNT", 1], "events"
        )
        end = str(last_entry[0][0]) if last_entry else None
        return EventPage([], end, trimmed=True, cut=frozenset(), more=False)
    seen = bool(entries) and entries[0][0] == cursor
    entries = entries[1:] if seen else entries[:TURNS]
    events, cut = list[Event](), set[str]()
    for _id, (_field, text) in entries:
        told, queue = _read(str(text))
        events += told
        cut.update(filter(None, [queue]))
    trimmed = bool(entries) and cursor is not None and not seen
    last = str(entries[-1][0]) if entries else cursor
    return EventPage(events, last, trimmed, frozenset(cut), len(entries) == TURNS)


def _read(text: str) -> tuple[list[Event], str | None]:
    """The events of one turn, and its queue if it left some out."""
    head, *lines = text.split("\n")
    queue, now, omitted = head.split(" ")
    return list(_events(queue, int(now), lines)), queue if int(omitted) else None


def _events(queue: str, at_ms: int, lines: list[str]) -> Iterator[Event]:
    for line in lines:
        kind, state, attempt, job_id, progress, job_type = line.split(" ", 5)
        yield Event(
            kind=KINDS.get(kind, kind),
            at_ms=at_ms,
            queue=queue,
            id=public_id(job_id, queue),
            type=None if job_type == "-" else job_type,
            state="waiting" if state == "w" else STATES.get(state, state),
            attempt=int(attempt),
            progress=None if progress == "-" else float(progress),
        )
