"""The explanation of a job that does not run: the gates before its start that are shut, read from
its record, its key and its queue. A gate is one function; GATES has them in order."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from ..clock import utc
from ..jobs.ends import read_missing
from ..store.views import JobView

TICK_LATE = 150.0
"""Seconds without a drain after which that is why a job waits: a schedule calls each minute."""
Code = Literal[
    "parked",
    "follow_ups",
    "delayed",
    "retry",
    "snoozed",
    "released",
    "paused",
    "suspect",
    "full",
    "limited",
    "key_full",
    "key_limited",
    "key_next",
    "no_tick",
    "waiting",
]
"""docs/guides/operating.md has the meaning of each."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One gate that keeps a job from running now. `until_ms`: the instant at which it opens, where
    that is known. `about`: the queue that `detail` is about, where it is not the job's own."""

    code: Code
    detail: str
    until_ms: int | None = None
    about: str | None = None


SKEW_MS = 5_000
"""How far the clock of a function may be from the store's."""
_WITHOUT_FOLLOW_UPS = "it has ended, but its follow-ups can't be stored"
Gate: TypeAlias = Callable[[JobView], Explanation | None]
"""A job that does not run → the gate, where it is shut for this job."""


def explain(view: JobView, reached: Collection[str] | None = None) -> list[Explanation]:
    """The gates that are shut, the most specific one first; at least one. Empty for a job that runs
    or has ended. `reached`: the queues that the reader may see; None: all."""
    if view.state not in ("waiting", "delayed", "parked"):
        return []
    gates = GATES_OF_END if view.history.get("end") else GATES
    shut = [one for gate in gates if (one := gate(view))]
    return [_for_reader(one, reached) for one in shut] or [_in_line(view)]


def _for_reader(gate: Explanation, reached: Collection[str] | None) -> Explanation:
    """A gate without facts of a queue that the reader may not see."""
    if gate.about is None or reached is None or gate.about in reached:
        return gate
    return replace(gate, detail=_WITHOUT_FOLLOW_UPS)


def _parked(view: JobView) -> Explanation | None:
    if view.state != "parked":
        return None
    return Explanation("parked", str(view.history.get("parked") or "it can't run now"), view.at_ms)


def _follow_ups(view: JobView) -> Explanation | None:
    missing = read_missing(view.history)
    if missing is None:
        return None
    until_ms = view.at_ms if view.state == "delayed" else None
    detail = f"{_WITHOUT_FOLLOW_UPS} on queue {missing.queue!r}: {missing.why}"
    return Explanation("follow_ups", detail, until_ms, missing.queue)


def _delayed(view: JobView) -> Explanation | None:
    if view.state != "delayed" or view.behind is not None:
        return None
    if view.reason == "unfit":
        return Explanation("released", _why_released(view), view.at_ms)
    if view.history.get("snoozed_since"):
        return Explanation("snoozed", "its handler put it off; no attempt is spent", view.at_ms)
    if view.attempts:
        detail = f"attempt {view.attempts} failed; it waits for the next one"
        return Explanation("retry", detail, view.at_ms)
    return Explanation("delayed", "it is not due yet", view.at_ms)


def _why_released(view: JobView) -> str:
    """A job that was cut off while its thread ran on rests; any other did not fit."""
    from ..drain.pool import THREAD_REST  # noqa: PLC0415 - cold start: few readers meet such a job

    last = view.runs[-1] if view.runs else None
    rests_until = (last.ended_ms or 0) + THREAD_REST * 1000 if last else 0
    if last is not None and last.outcome == "release" and view.at_ms <= rests_until + SKEW_MS:
        return (
            "its drain ended while it ran, by an interruption or for want of time; it waits, since "
            "its thread may run on"
        )
    return "it did not fit the time that was left; it waits for another window"


def _paused(view: JobView) -> Explanation | None:
    return Explanation("paused", f"queue {view.queue.name!r} is paused") if view.paused else None


def _suspect(view: JobView) -> Explanation | None:
    if not view.quarantined:
        return None
    where = "exclusively" if view.crashes else "in a child process or exclusively"
    return Explanation("suspect", f"two functions that ran it died; it waits to run {where}")


def _full(view: JobView) -> Explanation | None:
    queue = view.queue
    if queue.concurrency is None or view.active < queue.concurrency:
        return None
    detail = f"all {queue.concurrency} slots of queue {queue.name!r} are taken"
    return Explanation("full", detail)


def _limited(view: JobView) -> Explanation | None:
    if view.limited_ms <= 0:
        return None
    detail = f"the rate limit of queue {view.queue.name!r} allows no start before then"
    return Explanation("limited", detail, view.now_ms + view.limited_ms)


def _key_full(view: JobView) -> Explanation | None:
    limits, key = view.queue.per_key, view.key_view
    if limits is None or key is None or limits.concurrency is None:
        return None
    if key.active < limits.concurrency:
        return None
    detail = f"all {limits.concurrency} slots of key {key.key!r} are taken; {_place(view)}"
    return Explanation("key_full", detail)


def _key_limited(view: JobView) -> Explanation | None:
    limits, key = view.queue.per_key, view.key_view
    if limits is None or key is None or limits.rate is None or view.queue.refused_rate:
        return None
    until = key.token_at_ms(limits.rate, view.behind or 0)
    if until <= view.now_ms:
        return None
    detail = f"the rate of key {key.key!r} allows no start before then; {_place(view)}"
    return Explanation("key_limited", detail, until)


def _no_tick(view: JobView) -> Explanation | None:
    if view.state != "waiting":
        return None
    seen = max(view.turn_ms, view.since_ms or 0)
    if not seen or view.now_ms - seen <= TICK_LATE * 1000:
        return None
    at = f"{utc(seen):%Y-%m-%d %H:%M:%S} UTC"
    detail = f"no drain has come to queue {view.queue.name!r} since {at}: does the schedule run?"
    return Explanation("no_tick", detail)


GATES: tuple[Gate, ...] = (
    *(_parked, _delayed, _paused, _suspect),
    *(_full, _limited, _key_full, _key_limited, _no_tick),
)
"""What concerns the job alone comes first, then what it shares with its queue and with its key."""
GATES_OF_END: tuple[Gate, ...] = (
    *(_parked, _follow_ups, _paused),
    *(_full, _limited, _no_tick),
)
"""Those of a job whose end is decided: no handler runs again, so its key holds it no more."""


def _in_line(view: JobView) -> Explanation:
    """No gate is shut."""
    if view.behind is not None:
        detail = f"its key {view.key!r} has room again; {_place(view)}"
        return Explanation("key_next", detail)
    detail = f"it waits for its turn; {view.active} of queue {view.queue.name!r} run now"
    return Explanation("waiting", detail)


def _place(view: JobView) -> str:
    if view.behind is None:
        return "it has not come to its turn yet"
    return f"{view.behind} of that key start before it" if view.behind else "it is the key's next"
