"""Events for those who follow them, over HTTP and on the command line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Any, NamedTuple

from ..clock import utc
from ..errors import InvalidOption
from ..store import Store
from ..store.events import KINDS, Event, EventPage, read_events

EVERY = 2.0
"""Seconds between two reads while nothing comes."""


class EventFilter(NamedTuple):
    """The events that a reader wants. None: all."""

    queues: Collection[str] | None = None
    kind: str | None = None

    def of(self, page: EventPage) -> list[Event]:
        """Those of a page."""
        return [
            one for one in page.events if self._has(one.queue) and self.kind in (None, one.kind)
        ]

    def gap(self, page: EventPage) -> bool:
        """True if some of those may not be there: too old, or too many of one turn."""
        return page.trimmed or any(map(self._has, page.cut))

    def _has(self, queue: str) -> bool:
        return self.queues is None or queue in self.queues


def check_kind(kind: str | None) -> str | None:
    """The kind, if there is such a one. Raises InvalidOption."""
    if kind is not None and kind not in KINDS.values():
        raise InvalidOption(f"event: {', '.join(KINDS.values())}", "event")
    return kind


async def follow(
    store: Store, cursor: str | None, *, seconds: float, every: float = EVERY
) -> AsyncIterator[EventPage]:
    """Page after page for `seconds`, empty ones too: a command each, and where nothing more waits
    one in `every` seconds. Raises InvalidOption for what is no cursor, and StoreError."""
    clock = store.clock
    ends = clock.monotonic() + seconds
    while True:
        page = await read_events(store.rest, store.prefix, cursor)
        yield page
        cursor, left = page.next, ends - clock.monotonic()
        if left <= 0:
            return
        if not page.more:
            await clock.sleep(min(every, left))


def describe_event(event: Event) -> dict[str, Any]:
    """One event, as both show it."""
    same = {name: getattr(event, name) for name in _SAME}
    return {"event": event.kind, "at": utc(event.at_ms), **same}


_SAME = ("queue", "id", "type", "state", "attempt", "progress")
