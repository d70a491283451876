"""`tidegate events`: what becomes of jobs, once or as it happens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .command import command
from .context import open_deployment
from .exit_codes import Exit
from .options import Cursor, Json, Queues
from .output import as_json, as_json_line, flush, line, note, table

if TYPE_CHECKING:
    from ..observe.events import EventFilter
    from ..store.events import EventPage

ONLY_THEN = "drains tell events where TIDEGATE_EVENTS=1 is set"
COLUMNS = ("at", "event", "id", "type", "state", "attempt", "progress")
Follow = Annotated[bool, typer.Option("--follow", help="Go on as events come.")]
Kind = Annotated[
    str | None, typer.Option("--event", help="Only completed, failed, stalled or progress.")
]
Seconds = Annotated[
    float, typer.Option(min=1, max=86_400, help="With --follow: the seconds after which it ends.")
]
Every = Annotated[
    float, typer.Option(min=0.5, max=60, help="With --follow: seconds between two looks.")
]


@command
async def events(
    names: Queues = None,
    follow: Follow = False,
    event: Kind = None,
    cursor: Cursor = None,
    seconds: Seconds = 600.0,
    every: Every = 2.0,
    json: Json = False,
) -> Exit:
    """List what became of jobs lately: they completed, failed, stalled or report progress.

    Drains tell it where TIDEGATE_EVENTS=1 is set. With --follow --json one document a line.
    """
    from ..observe.events import EventFilter, check_kind
    from ..observe.events import follow as follow_pages

    kind = check_kind(event)
    async with open_deployment() as deployment:
        if follow and not deployment.settings.events:
            note(f"TIDEGATE_EVENTS is not 1 here; {ONLY_THEN}")
        queues = [queue.name for queue in deployment.queues(names)] if names else None
        wanted = EventFilter(queues, kind)
        pages = follow_pages(deployment.store, cursor, seconds=seconds, every=every)
        show = _follow if follow else _list
        last = await show(pages, wanted, json=json)
        if last.next is None and not follow and not deployment.settings.events:
            note(f"no drain has told an event; {ONLY_THEN}")
    return Exit.OK


async def _list(pages: AsyncIterator[EventPage], wanted: EventFilter, *, json: bool) -> EventPage:
    """Print all events that are kept."""
    rows, gap = list[dict[str, Any]](), False
    async for page in pages:
        rows, gap = rows + _rows(page, wanted), gap or wanted.gap(page)
        if not page.more:
            break
    if json:
        as_json({"events": rows, "next": page.next, "gap": gap})
    elif rows:
        table(COLUMNS, [[row[name] for name in COLUMNS] for row in rows])
    else:
        print("no events")
    return page


async def _follow(pages: AsyncIterator[EventPage], wanted: EventFilter, *, json: bool) -> EventPage:
    """Print events as they come."""
    async for page in pages:
        if wanted.gap(page):
            note("some events are missing here: too old, or too many at once")
        for row in _rows(page, wanted):
            as_json_line(row) if json else line([row[name] for name in COLUMNS])
        flush()
    if page.next:
        note(f"ended; go on with: tidegate events --follow --cursor {page.next}")
    return page


def _rows(page: EventPage, wanted: EventFilter) -> list[dict[str, Any]]:
    from ..observe.events import describe_event

    return [describe_event(one) for one in wanted.of(page)]
