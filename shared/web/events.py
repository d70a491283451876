"""GET /api/v1/events: what becomes of jobs, as a page or as a stream of server-sent events."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from pydantic_core import to_json
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ..config.platform import LAMBDA
from ..errors import StoreError
from .body import json_response
from .call import Call
from .problems import SAFE_HEADERS, Problem, ProblemType, problem_response
from .responses import ResponseModel

if TYPE_CHECKING:
    from ..observe.events import EventFilter
    from ..store.events import EventPage

MEDIA_TYPE = "text/event-stream"
STREAM_SECONDS = 55.0
"""A stream ends by then, and its client connects again: a revoked token follows for no longer."""
RESERVE = 2.0
"""Seconds before the platform's own end of a request by which a stream ends."""
RETRY_MS = 2000
GRACE = 1.0
"""Seconds after its end for which a stream may still be sent."""
MOST_STREAMS, MOST_OF_CALLER = 20, 10
FULL = ProblemType("too-many-streams", 503, "Too many streams")
BUSY = (
    f"{MOST_OF_CALLER} streams of events of one caller, or {MOST_STREAMS} of all, are open here; "
    "read pages instead, or come again later."
)
log = logging.getLogger("tidegate.web")


class Stream(StreamingResponse):
    """A stream of `who`, among at most MOST_STREAMS that are open in the process: each reads the
    store. It is over after `seconds`, also for a client that does not read what is sent."""

    open: ClassVar[Counter[str]] = Counter()
    """How many each caller has open."""

    def __init__(self, pages: AsyncIterator[str], *, who: str, seconds: float) -> None:
        headers = {**SAFE_HEADERS, "Content-Type": MEDIA_TYPE, "X-Accel-Buffering": "no"}
        super().__init__(pages, headers=headers)
        self._who, self._seconds = who, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if Stream.open.total() >= MOST_STREAMS or Stream.open[self._who] >= MOST_OF_CALLER:
            refusal = Problem(FULL, BUSY, headers={"Retry-After": str(round(STREAM_SECONDS))})
            await problem_response(refusal)(scope, receive, send)
            return
        Stream.open[self._who] += 1
        try:
            async with asyncio.timeout(self._seconds + GRACE):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            log.info("events_unread", extra={"who": self._who})
        finally:
            Stream.open -= Counter((self._who,))  # names without a stream are forgotten


class EventResponse(ResponseModel):
    """One event. `state`: the job's after it; `attempt`: the one that it is about."""

    event: str = Field(description="completed, failed, stalled or progress.")
    at: datetime
    queue: str
    id: str
    type: str | None = Field(description="null where the function that ran the job died.")
    state: str
    attempt: int
    progress: float | None = Field(description="The last reported, 0 to 100; null as `type`.")


class EventPageResponse(ResponseModel):
    """Events, oldest first. `next`: the cursor behind them. `more`: ask for it at once."""

    events: list[EventResponse]
    next: str | None
    gap: bool = Field(description="Some are not there: too old, or too many of one turn.")
    more: bool


async def index(call: Call) -> Response:
    """The events behind a cursor: jobs that completed, failed, stalled or report progress. With
    `Accept: text/event-stream` a stream of them for 55 seconds, but on AWS Lambda, which can't
    stream here: there it is a page too."""
    from ..observe.events import EventFilter, check_kind, follow  # noqa: PLC0415 - rarely needed

    parameters, request = call.query("queue", "event", "cursor"), call.request
    wanted = EventFilter(
        _queues(call, parameters.get("queue")), check_kind(parameters.get("event"))
    )
    cursor = request.headers.get("last-event-id") or parameters.get("cursor")
    seconds = _stream_seconds(call)
    pages = follow(call.deployment.store, cursor, seconds=seconds)
    first = await anext(pages)  # what is wrong with the request or the store becomes a problem
    if seconds > 0:
        return Stream(_stream(first, pages, wanted), who=call.caller.who, seconds=seconds)
    return json_response(_page(first, wanted))


def _queues(call: Call, name: str | None) -> list[str] | None:
    if name is None and call.caller.queues is None:
        return None
    return [queue.name for queue in call.queues(name)]


def _stream_seconds(call: Call) -> float:
    """How long to stream; 0: not at all, for a client or a host that doesn't."""
    accepts = MEDIA_TYPE in call.request.headers.get("accept", "")
    if not accepts or call.request.method == "HEAD" or call.deployment.settings.platform == LAMBDA:
        return 0.0
    seconds, ends_ms = min(STREAM_SECONDS, call.seconds_left() - RESERVE), call.caller.expires_ms
    if ends_ms is not None:  # a token follows no further than to its end
        seconds = min(seconds, (ends_ms - call.deployment.clock.epoch_ms()) / 1000)
    return max(0.0, seconds)


def _page(page: EventPage, wanted: EventFilter) -> EventPageResponse:
    return EventPageResponse(
        events=_describe(page, wanted), next=page.next, gap=wanted.gap(page), more=page.more
    )


def _describe(page: EventPage, wanted: EventFilter) -> list[EventResponse]:
    from ..observe.events import describe_event  # noqa: PLC0415 - as above

    return [EventResponse(**describe_event(one)) for one in wanted.of(page)]


async def _stream(
    first: EventPage, pages: AsyncIterator[EventPage], wanted: EventFilter
) -> AsyncIterator[str]:
    """The pages as text. The `id` comes behind a page: a client that is cut off within one sees it
    again."""
    yield f"retry: {RETRY_MS}\n\n" + _text(first, wanted)
    try:
        async for page in pages:
            yield _text(page, wanted)
    except StoreError as error:  # the client comes again with its last id
        log.warning("events_ended", extra={"error": str(error)})


def _text(page: EventPage, wanted: EventFilter) -> str:
    """Also an empty page says something: so a connection that broke is noticed."""
    blocks = ["event: gap\ndata: {}\n\n"] if wanted.gap(page) else []
    blocks += [
        f"event: {one.event}\ndata: {to_json(one).decode()}\n\n" for one in _describe(page, wanted)
    ]
    return "".join([*blocks, f"id: {page.next}\n\n" if page.next else ": nothing yet\n\n"])
