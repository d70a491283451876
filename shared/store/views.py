"""The answers of the reading scripts, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..declare.queue import Queue
from ..encryption.record import Encryption, lock
from ..jobs.body import Body, decode_body
from ..jobs.ids import created_ms, public_id
from .codec import PRIORITIES_BY_CODE, STATES, Header, read_header, read_record
from .from_history import FromHistory
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
class JobRecord(FromHistory):
    """One stored job. `at_ms` is store time in milliseconds and belongs to the state: the instant
    at which it is due, at which its lease ends, or at which it ended. `since_ms`: when it began to
    wait or is due; None where the record does not tell. `created_ms`: when it was made, by its
    maker's clock. `reason`: "suspect", "exclusive", "crashed", "unfit", "damaged" or None. `dedup`:
    the name that it holds until it ends, and as a dead letter takes again when it is redriven.
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
    since_ms: int | None
    created_ms: int | None
    encryption: Encryption | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class ListedJob:
    """One row of a list: a job without its payload and its history. Instants as in `JobRecord`.
    `header` is None where the record is damaged or lost. `encryption`: the label of its key."""

    id: str
    queue: Queue
    type: str
    state: str
    header: Header | None
    at_ms: int
    since_ms: int | None
    created_ms: int | None
    encryption: str = ""


@dataclass(frozen=True, slots=True)
class JobView(JobRecord):
    """One job and the state of its queue. `limited_ms`: milliseconds until the queue's bucket has a
    token; `active`: jobs of the queue that run now; `turn_ms`: the queue's last turn, 0 without."""

    now_ms: int
    turn_ms: int
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
    `oldest`: the public id of the job that waits longest, `oldest_ms`: since when. `turn_ms`: the
    instant of the last turn, 0 without. `usage`: everything stored, by shard."""

    queue: Queue
    now_ms: int
    sizes: dict[str, int]
    oldest: str | None
    oldest_ms: int | None
    turn_ms: int
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
    now, turned, paused, level, per, at, active, record, *rest = reply
    position, instant, _lease, cancelling = rest
    stored = _read(queue, job_id, instant, record)
    fields = {name: getattr(stored, name) for name in JobRecord.__slots__}
    return JobView(
        **{**fields, "state": position if stored.state == "waiting" else stored.state},
        now_ms=int(now),
        turn_ms=int(turned),
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
            since_ms=None,
            created_ms=created_ms(job_id),
        )


def read_listed(queue: Queue, state: str, row: list[Any]) -> ListedJob:
    """One row of the answer of list.lua."""
    job_id, instant, line, first = (_text(part) for part in row)
    try:
        header = read_header(line)
    except ValueError:
        header = None
    body = _decode(f"{first}\n")
    return ListedJob(
        id=public_id(job_id, queue.name),
        queue=queue,
        type=body.type,
        state=state,
        header=header,
        at_ms=int(float(instant or 0)),
        since_ms=int(header.since) if header and header.since else created_ms(job_id),
        created_ms=body.made_ms or created_ms(job_id),
        encryption=body.encryption,
    )


def _text(part: str | bytes) -> str:
    return part if isinstance(part, str) else part.decode("utf-8", "replace")


def read_stats(queue: Queue, types: list[str], reply: list[Any]) -> QueueStats:
    """The answer of stats.lua."""
    now, *rest = reply
    sizes = dict(zip(SIZES, rest[: len(SIZES)], strict=True))
    heads, rest = rest[len(SIZES) : len(SIZES) + 8], rest[len(SIZES) + 8 :]
    oldest, oldest_ms = _oldest(list(zip(heads[::2], heads[1::2], strict=True)))
    turned, paused, level, per, _at, totals, usage, *histograms = rest
    return QueueStats(
        queue=queue,
        now_ms=int(now),
        sizes=sizes,
        oldest=public_id(oldest, queue.name) if oldest else None,
        oldest_ms=oldest_ms,
        turn_ms=int(turned or 0),
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


def _oldest(heads: list[tuple[str, str]]) -> tuple[str, int | None]:
    """The id that waits longest, and since when, of the first ids of the lists."""
    known = [(int(since) if since else created_ms(job_id), job_id) for job_id, since in heads]
    instant, job_id = min(
        ((at, job_id) for at, job_id in known if at is not None), default=(None, "")
    )
    return job_id or next((job_id for _, job_id in known if job_id), ""), instant


def _read(queue: Queue, job_id: str, instant: str, record: str | bytes) -> JobRecord:
    header, stored, history = read_record(record)
    body = _decode(stored)
    encryption, readable = lock(body, stored, _text(history))
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
        payload="" if encryption else body.payload,
        overrides=dict(body.overrides),
        history=readable,
        at_ms=int(float(instant)),
        since_ms=int(header.since) if header.since else created_ms(job_id),
        created_ms=body.made_ms or created_ms(job_id),
        encryption=encryption,
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
