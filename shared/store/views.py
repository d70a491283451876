"""The answers of the reading scripts, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..declare.queue import Queue
from ..encryption.record import Encryption, lock
from ..jobs.body import Body, decode_body
from ..jobs.ids import created_ms, public_id
from .codec import PRIORITIES_BY_CODE, STATES, Header, State, read_header, read_record
from .from_history import FromHistory
from .key_views import KeyView, read_key


@dataclass(frozen=True, slots=True)
class JobRecord(FromHistory):
    """One stored job. `at_ms` is store time in milliseconds and belongs to the state: the instant
    at which it is due, at which its lease ends, or at which it ended. `since_ms`: when it began to
    wait or is due; None where the record does not tell. `created_ms`: when it was created, by its
    producer's clock. `reason`: "suspect", "exclusive", "crashed", "unfit", "damaged" or None.
    `dedup`: the name that it holds until it ends, and as a dead letter takes again when it is
    redriven.
    """

    id: str
    queue: Queue
    type: str
    state: State
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
    by: str = field(default="", kw_only=True)
    """The subject of the stored token that enqueued it, "" for any other way."""


class ListedJob(NamedTuple):
    """One row of a list: a job without its payload and its history. Instants as in `JobRecord`.
    `header` is None where the record is damaged or lost. `encryption`: the label of its key."""

    id: str
    queue: Queue
    type: str
    state: State
    header: Header | None
    at_ms: int
    since_ms: int | None
    created_ms: int | None
    encryption: str = ""


class JobHeader(NamedTuple):
    """What tells who reaches a job. `type`: "" where its body is foreign or damaged."""

    type: str
    key: str | None


@dataclass(frozen=True, slots=True)
class JobView(JobRecord):
    """One job and the state of its queue. `limited_ms`: milliseconds until the queue's bucket has a
    token; `active`: jobs of the queue that run now; `turn_ms`: the queue's last turn, 0 without.
    `key_view`: its key, of a job that waits and has one. `position`: its position in the backlog of
    its key; None where it does not wait there."""

    now_ms: int
    turn_ms: int
    paused: bool
    cancel_requested: bool
    limited_ms: int
    active: int
    key_view: KeyView | None
    position: int | None

    @property
    def behind(self) -> int | None:
        """How many jobs stand before it in the backlog of its key."""
        if self.position is None or self.key_view is None:
            return None
        return max(0, self.position - self.key_view.first)

    @property
    def quarantined(self) -> bool:
        """True while it waits to run isolated or exclusively, after two crashes in a row."""
        return self.reason == "exclusive" and self.state == "waiting"


def read_view(queue: Queue, job_id: str, reply: list[Any]) -> JobView:
    """The answer of inspect.lua."""
    now, turned, paused, level, per, at, active, record, *rest = reply
    place, instant, _lease, cancelling, key_state, key_active = rest
    stored = _read(queue, job_id, instant, record)
    fields = {name: getattr(stored, name) for name in JobRecord.__slots__}
    return JobView(
        **{**fields, "state": place if stored.state == "waiting" else stored.state},
        now_ms=int(now),
        turn_ms=int(turned),
        paused=bool(paused),
        cancel_requested=bool(cancelling),
        limited_ms=_token_wait(queue, int(now), int(level), int(per), int(at)),
        active=int(active),
        key_view=_key_view(stored, place, key_state, int(key_active), int(now)),
        position=_position(record) if place == "delayed" and not int(float(instant)) else None,
    )


def _key_view(
    stored: JobRecord, place: str, state: str, active: int, now_ms: int
) -> KeyView | None:
    if stored.key is None or place not in ("waiting", "delayed"):
        return None
    return read_key(stored.key, state, active, now_ms)


def _position(record: str | bytes) -> int | None:
    _, _, digits = read_record(record)[0].reason.partition(":")
    return int(digits) if digits.isdecimal() else None


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


def read_listed(queue: Queue, state: State, row: list[Any]) -> ListedJob:
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
        created_ms=body.created_ms or created_ms(job_id),
        encryption=body.encryption,
    )


def read_headers(job_ids: Sequence[str], reply: Sequence[Any]) -> dict[str, JobHeader]:
    """The answer of headers.lua, without jobs that are gone and damaged records."""
    headers = {}
    for job_id, line, first in zip(job_ids, reply[::2], reply[1::2], strict=True):
        try:
            key = _optional(read_header(_text(line)).key)
        except ValueError:
            continue
        headers[job_id] = JobHeader(_decode(f"{_text(first)}\n").type, key)
    return headers


def _text(part: str | bytes) -> str:
    return part if isinstance(part, str) else part.decode("utf-8", "replace")


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
        reason=_reason(header.reason),
        payload="" if encryption else body.payload,
        overrides=dict(body.overrides),
        history=readable,
        at_ms=int(float(instant)),
        since_ms=int(header.since) if header.since else created_ms(job_id),
        created_ms=body.created_ms or created_ms(job_id),
        encryption=encryption,
        by=body.by,
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


def _reason(field: str) -> str | None:
    """Without the position in the backlog of its key."""
    word = field.partition(":")[0]
    return None if word == "key" else _optional(word)


def _optional(field: str) -> str | None:
    return None if field == "-" else field
