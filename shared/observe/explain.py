"""The explanation of a job that does not run, read from its record and its queue."""

from __future__ import annotations

from dataclasses import dataclass

from ..store.views import JobView


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a job does not run now. `until_ms`: the instant at which that ends, where it is known."""

    code: str
    detail: str
    until_ms: int | None = None


def explain(view: JobView) -> Explanation | None:
    """The most specific explanation. None for a job that runs or has ended."""
    match view.state:
        case "delayed":
            return _delayed(view)
        case "parked":
            detail = str(view.history.get("parked") or "it can't run now")
            return Explanation("parked", detail, view.at_ms)
        case "waiting":
            return _waiting(view)
    return None


def _delayed(view: JobView) -> Explanation:
    if view.attempts:
        detail = f"attempt {view.attempts} failed; it waits for the next one"
        return Explanation("retry", detail, view.at_ms)
    return Explanation("delayed", "it is not due yet", view.at_ms)


def _waiting(view: JobView) -> Explanation:
    queue = view.queue
    if view.paused:
        return Explanation("paused", f"queue {queue.name!r} is paused")
    if view.suspect:
        return Explanation("suspect", "two functions that ran it died; it waits to run exclusively")
    if queue.concurrency is not None and view.active >= queue.concurrency:
        detail = f"all {queue.concurrency} slots of queue {queue.name!r} are taken"
        return Explanation("full", detail)
    if view.limited_ms > 0:
        detail = f"the rate limit of queue {queue.name!r} allows no start before then"
        return Explanation("limited", detail, view.now_ms + view.limited_ms)
    detail = f"it waits for its turn; {view.active} of queue {queue.name!r} run now"
    return Explanation("waiting", detail)
