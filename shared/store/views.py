"""What the reading scripts answer, as values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..job import public_id, read_tail
from ..queue import Queue
from .record import read_record

_BANDS = {"h": "high", "n": "normal", "l": "low"}
_ENDED = {"c": "completed", "k": "cancelled", "x": "dead", "p": "parked", "w": "waiting"}
SIZES = (
    *("high", "normal", "low", "suspects", "delayed", "active"),
    *("parked", "completed", "cancelled", "dead", "inbox"),
)
TOTALS = (
    *("claimed", "done", "retried", "dead", "released"),
    *("snoozed", "parked", "cancelled", "crashed", "lost"),
)


@dataclass(frozen=True, slots=True)
class JobView:
    """One job as it stands. Instants are store time in milliseconds; `at` belongs to the state:
    when it is due, when its lease ends, or when it ended."""

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
    why: str | None
    payload: str | bytes
    meta: dict[str, Any]
    tail: dict[str, Any]
    now_ms: int
    at_ms: int
    paused: bool
    stopping: bool
    limited_ms: int
    active: int
    suspect: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """One row of a list of ended jobs."""

    id: str
    at_ms: int
    type: str
    state: str
    attempts: int
    crashes: int
    redrives: int
    why: str | None
    payload: str | bytes
    tail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class QueueStats:
    """Sizes by structure, outcomes ever counted, and the sketch of durations per job type."""

    queue: Queue
    now_ms: int
    sizes: dict[str, int]
    oldest: str | None
    paused: bool
    tokens: float | None
    totals: dict[str, int]
    sketches: dict[str, list[int]]

    @property
    def waiting(self) -> int:
        return sum(self.sizes[band] for band in ("high", "normal", "low", "suspects", "inbox"))


def read_body(body: str | bytes) -> tuple[str, dict[str, Any], str | bytes]:
    """(type, meta, payload) of a stored body; a foreign or broken one has type "" and is all
    payload."""
    if isinstance(body, bytes):
        return "", {}, body
    line, newline, payload = body.partition("\n")
    try:
        meta = json.loads(line) if newline else None
    except ValueError:
        meta = None
    if not isinstance(meta, dict) or not isinstance(meta.get("type"), str):
        return "", {}, body
    return meta.pop("type"), meta, payload


def read_view(queue: Queue, job_id: str, reply: list[Any]) -> JobView:
    """inspect.lua's answer."""
    now, paused, level, per, at, leased, record, position, instant, _lease, stopping = reply
    header, body, tail = read_record(record)
    job_type, meta, payload = read_body(body)
    return JobView(
        id=public_id(job_id, queue.name),
        queue=queue,
        type=job_type,
        state=position if header.state == "w" else _ENDED[header.state],
        priority=_BANDS[header.band],
        attempts=header.attempts,
        crashes=header.crashes,
        redrives=header.redrives,
        fence=header.fence,
        key=_said(header.key),
        why=_said(header.why),
        payload=payload,
        meta=meta,
        tail=_readable_tail(tail),
        now_ms=int(now),
        at_ms=int(float(instant)),
        paused=bool(paused),
        stopping=bool(stopping),
        limited_ms=_token_wait(queue, int(now), int(level), int(per), int(at)),
        active=int(leased),
        suspect=header.why == "suspect" and header.state == "w" and position == "waiting",
    )


def read_ended(queue: Queue, job_id: str, instant: str, record: str | bytes) -> Ended:
    """One row of browse.lua's answer."""
    try:
        header, body, tail = read_record(record)
    except ValueError:
        damaged = record if isinstance(record, bytes) else record.encode()
        named = public_id(job_id, queue.name), int(float(instant))
        return Ended(*named, "", "dead", 0, 0, 0, "damaged", damaged, {})
    job_type, _meta, payload = read_body(body)
    return Ended(
        id=public_id(job_id, queue.name),
        at_ms=int(float(instant)),
        type=job_type,
        state=_ENDED[header.state],
        attempts=header.attempts,
        crashes=header.crashes,
        redrives=header.redrives,
        why=_said(header.why),
        payload=payload,
        tail=_readable_tail(tail),
    )


def read_stats(queue: Queue, types: list[str], reply: list[Any]) -> QueueStats:
    """stats.lua's answer."""
    now, *rest = reply
    sizes = dict(zip(SIZES, rest[: len(SIZES)], strict=True))
    oldest = [head for head in rest[len(SIZES) : len(SIZES) + 3] if head]
    paused, level, per, _at, totals, *sketches = rest[len(SIZES) + 3 :]
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
        sketches={
            name: [int(n) for n in sketch.split()]
            for name, sketch in zip(types, sketches, strict=True)
            if sketch
        },
    )


def _token_wait(queue: Queue, now: int, level: int, per: int, at: int) -> int:
    """Milliseconds until the queue's bucket holds a whole token, by its last written level."""
    if queue.limit is None or per == 0:
        return 0
    have = level + max(0, now - at) * queue.limit.rate
    return max(0, -((have - per) // queue.limit.rate))


def _readable_tail(tail: str | bytes) -> dict[str, Any]:
    return read_tail(tail if isinstance(tail, str) else tail.decode("utf-8", "replace"))


def _said(field: str) -> str | None:
    return None if field == "-" else field
