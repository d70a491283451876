"""Why a job does not run just now, from what its record and its queue say; nothing is guessed."""

from __future__ import annotations

from ..store.views import JobView
from .answers import Why, instant


def why(view: JobView) -> Why | None:
    """The reason, the most specific one first; None for a job that runs or has ended."""
    match view.state:
        case "delayed":
            return _delayed(view)
        case "parked":
            reason = str(view.tail.get("parked") or "it can't run now")
            return Why(code="parked", detail=reason, until=instant(view.at_ms))
        case "waiting":
            return _waiting(view)
    return None


def _delayed(view: JobView) -> Why:
    if view.attempts:
        detail = f"attempt {view.attempts} failed; it waits for the next one"
        return Why(code="retry", detail=detail, until=instant(view.at_ms))
    return Why(code="delayed", detail="it is not due yet", until=instant(view.at_ms))


def _waiting(view: JobView) -> Why:
    queue = view.queue
    if view.paused:
        return Why(code="paused", detail=f"queue {queue.name!r} is paused")
    if view.suspect:
        return Why(code="suspect", detail="the function that ran it died; it waits to run alone")
    if queue.concurrency is not None and view.active >= queue.concurrency:
        detail = f"all {queue.concurrency} slots of queue {queue.name!r} are taken"
        return Why(code="full", detail=detail)
    if view.limited_ms > 0:
        detail = f"the rate limit of queue {queue.name!r} allows no start before then"
        return Why(code="limited", detail=detail, until=instant(view.now_ms + view.limited_ms))
    detail = f"it waits for its turn; {view.active} of queue {queue.name!r} run now"
    return Why(code="waiting", detail=detail)
