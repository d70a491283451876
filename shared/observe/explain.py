"""The explanation of a job that does not run, read from its record and its queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from ..store.views import JobView

TICK_LATE = 150.0
"""Seconds without a drain after which a job that waits is told so: a schedule calls each minute."""


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
    end = view.history.get("end")
    if isinstance(end, dict) and end.get("missing"):
        detail = f"it has ended, but its follow-ups can't be stored: {end['missing']}"
        return Explanation("follow_ups", detail, view.at_ms)
    if view.reason == "unfit":
        detail = "it did not fit the time that was left; it waits for another window"
        return Explanation("released", detail, view.at_ms)
    if view.history.get("snoozed_since"):
        return Explanation("snoozed", "its handler put it off; no attempt is spent", view.at_ms)
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
    seen = max(view.turn_ms, view.since_ms or 0)
    if seen and view.now_ms - seen > TICK_LATE * 1000:
        at = f"{datetime.fromtimestamp(seen / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
        detail = f"no drain has come to queue {queue.name!r} since {at}: does the schedule run?"
        return Explanation("no_tick", detail)
    detail = f"it waits for its turn; {view.active} of queue {queue.name!r} run now"
    return Explanation("waiting", detail)
