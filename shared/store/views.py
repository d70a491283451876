"""The answers of the reading scripts, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..declare.queue import Queue
from ..jobs.body import Body, decode_body
from ..jobs.history import read_history
from ..jobs.ids import public_id
from .codec import PRIORITIES_BY_CODE, STATES, read_record
from .usage import UsageByShard, read_usage

SIZES = (
    *("high", "normal", "low", "suspects", "delayed", "active"),
    *("parked", "completed", "cancelled", "dead", "inbox"),
)
TOTALS = (
    *("claimed", "done", "retried", "dead", "released"),
    *("snoozed", "parked", "cancelled", "crashed", "lost"),
)


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One stored job.

    `at_ms` is store time in milliseconds and belongs to the state: the instant at which it is due,
    at which its lease ends, or at which it ended. `reason`: "suspect", "exclusive", "crashed",
    "unfit", "damaged" or None. `dedup`: the deduplication name that it holds until it ends, and as
    a dead letter takes again when it is redriven.
    """

    id: str
    queue: Queue
    type: str
    state: str
    priority: str
    attempts: int
    crashes: int
    redrives: int
    fence: int
    key: str | None
    dedup: str | None
    reason: str | None
    payload: str | bytes
    overrides: dict[str, Any]
    history: dict[str, Any]
    at_ms: int

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The failed attempts that are kept, oldest first."""
        errors = self.history.get("errors")
        return [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []

    @property
    def result(self) -> Any:
        """What its handler returned, as JSON has it; None before its end."""
        return self.history.get("result")

    @property
    def result_error(self) -> str | None:
        """Why its result could not be kept."""
        error = self.history.get("result_error")
        return None if error is None else str(error)

    @property
    def progress(self) -> float | None:
        """The last progress that its handler reported, 0 to 100."""
        progress = self.history.get("progress")
        return progress if isinstance(progress, int | float) else None

    @property
    def note(self) -> str | None:
        """The note of that report."""
        note = self.history.get("note")
        return None if note is None else str(note)


@dataclass(frozen=True, slots=True)
class JobView(JobRecord):
    """One job and the state of its queue. `limited_ms`: milliseconds until the queue's bucket has a
    token; `active`: jobs of the queue that run now."""

    now_ms: int
    paused: bool
    cancel_requested: bool
    limited_ms: int
    active: int

    @property
    def suspect(self) -> bool:
        """True while it waits to run exclusively, after two crashes in a row."""
        return self.reason == "exclusive" and self.state == "waiting"


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One queue: sizes by structure, outcomes ever counted, a histogram of durations per job type.
    `oldest`: the public id of the oldest waiting job. `usage`: everything stored, by shard."""

    queue: Queue
    now_ms: int
    sizes: dict[str, int]
    oldest: str | None
    paused: bool
    tokens: float | None
    totals: dict[str, int]
    usage: UsageByShard
    histograms: dict[str, list[int]]

    @property
    def jobs(self) -> int:
        """Everything stored, ended jobs included."""
        return sum(one.jobs for one in self.usage)

    @property
    def bytes(self) -> int:
        """The bytes of their ids and records."""
        return sum(one.bytes for one in self.usage)

    @property
    def waiting(self) -> int:
        return sum(self.sizes[part] for part in ("high", "normal", "low", "suspects", "inbox"))


def read_view(queue: Queue, job_id: str, reply: list[Any]) -> JobView:
    """The answer of inspect.lua."""
    now, paused, level, per, at, active, record, position, instant, _lease, cancelling = reply
    stored = _read(queue, job_id, instant, record)
    fields = {name: getattr(stored, name) for name in JobRecord.__slots__}
    return JobView(
        **{**fields, "state": position if stored.state == "waiting" else stored.state},
        now_ms=int(now),
        paused=bool(paused),
        cancel_requested=bool(cancelling),
        limited_ms=_token_wait(queue, int(now), int(level), int(per), int(at)),
        active=int(active),
    )


def read_row(queue: Queue, job_id: str, instant: str, record: str | bytes) -> JobRecord:
    """One row of the answer of browse.lua: `payload` is empty. A damaged record is dead, with the
    first of its bytes as payload."""
    try:
        return _read(queue, job_id, instant, record)
    except ValueError:
        return JobRecord(
            id=public_id(job_id, queue.name),
            queue=queue,
            type="",
            state="dead",
            priority="normal",
            attempts=0,
            crashes=0,
            redrives=0,
            fence=0,
            key=None,
            dedup=None,
            reason="damaged",
            payload=record if isinstance(record, bytes) else record.encode(),
            overrides={},
            history={},
            at_ms=int(float(instant)),
        )


def read_stats(queue: Queue, types: list[str], reply: list[Any]) -> QueueStats:
    """The answer of stats.lua."""
    now, *rest = reply
    sizes = dict(zip(SIZES, rest[: len(SIZES)], strict=True))
    oldest = [head for head in rest[len(SIZES) : len(SIZES) + 3] if head]
    paused, level, per, _at, totals, usage, *histograms = rest[len(SIZES) + 3 :]
    return QueueStats(
        queue=queue,
        now_ms=int(now),
        sizes=sizes,
        oldest=public_id(min(oldest), queue.name) if oldest else None,
        paused=paused == "1",
        tokens=int(level) / int(per) if queue.limit and per and int(per) else None,
        totals=dict(
            zip(TOTALS, [int(n) for n in totals.split()] or [0] * len(TOTALS), strict=True)
        ),
        usage=read_usage(usage),
        histograms={
            name: [int(n) for n in histogram.split()]
            for name, histogram in zip(types, histograms, strict=True)
            if histogram
        },
    )


def _read(queue: Queue, job_id: str, instant: str, record: str | bytes) -> JobRecord:
    header, stored, history = read_record(record)
    body = _decode(stored)
    return JobRecord(
        id=public_id(job_id, queue.name),
        queue=queue,
        type=body.type,
        state=STATES[header.state],
        priority=PRIORITIES_BY_CODE[header.priority],
        attempts=header.attempts,
        crashes=header.crashes,
        redrives=header.redrives,
        fence=header.fence,
        key=_optional(header.key),
        dedup=_optional(header.dedup.removeprefix("dedup:")),
        reason=_optional(header.reason),
        payload=body.payload,
        overrides=dict(body.overrides),
        history=read_history(
            history if isinstance(history, str) else history.decode("utf-8", "replace")
        ),
        at_ms=int(float(instant)),
    )


def _decode(body: str | bytes) -> Body:
    """A foreign or damaged body has the type "" and is all payload."""
    try:
        return decode_body(body)
    except ValueError:
        return Body("", {}, body)


def _token_wait(queue: Queue, now: int, level: int, per: int, at: int) -> int:
    """Milliseconds until the queue's bucket holds a whole token, by its last written level."""
    if queue.limit is None or per == 0:
        return 0
    units = level + max(0, now - at) * queue.limit.rate
    return max(0, -((units - per) // queue.limit.rate))


def _optional(field: str) -> str | None:
    return None if field == "-" else field
