"""One turn as values: what a drain asks of the store in one request, and what it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ..job import Claim, Kind
from ..queue import Queue
from .record import read_record

Why = Literal["more", "empty", "limited", "full", "paused", "suspect"]
LETTERS: Mapping[Kind, str] = {
    "done": "d",
    "retry": "r",
    "dead": "x",
    "release": "l",
    "snooze": "s",
    "park": "p",
    "cancelled": "c",
    "keep": "k",
}
MOST_BYTES = 4 * 2**20
"""Claimed per turn, so that a reply stays well below the store's limit."""
MOST_TAILS = 2 * 2**20
"""Characters of results and errors settled per turn: their quotes are escaped once more."""


class Settle(NamedTuple):
    """One lease to close (or, kind "keep", to prolong). `tail` replaces the job's tail."""

    lease: str
    kind: Kind
    delay_ms: int = 0
    tail: str = ""


def that_fit(settles: Sequence[Settle]) -> int:
    """How many of these, from the first, fit into one request."""
    size = 0
    for n, settle in enumerate(settles):
        size += len(settle.tail)
        if n and size > MOST_TAILS:
            return n
    return len(settles)


@dataclass(frozen=True, slots=True)
class TurnAsk:
    """What one turn shall do. `owner` and `seq` make it replay-safe: a repeat is answered as
    before."""

    owner: str
    seq: int
    want: int
    lease_ms: int
    settles: Sequence[Settle] = ()
    alone: bool = False
    look: bool = False
    ask_sketches: Sequence[str] = ()
    observed: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    def args(self, queue: Queue) -> list[str | int]:
        """ARGV of turn.lua."""
        limit = queue.limit
        types = dict.fromkeys([*self.ask_sketches, *self.observed])
        args: list[str | int] = [
            queue.name,
            self.owner,
            self.seq,
            self.want,
            self.lease_ms,
            int(self.alone),
            queue.concurrency or 0,
            *((limit.rate, limit.per_ms, limit.burst) if limit else (0, 1, 1)),
            queue.completed.count,
            round(queue.completed.age * 1000),
            MOST_BYTES,
            int(self.look),
            len(types),
            len(self.settles),
        ]
        for name in types:
            counts = " ".join(f"{bucket}:{n}" for bucket, n in self.observed.get(name, {}).items())
            args += [name, int(name in self.ask_sketches), counts]
        for settle in self.settles:
            args += [f"{settle.lease} {LETTERS[settle.kind]} {settle.delay_ms}", settle.tail]
        return args


@dataclass(frozen=True, slots=True)
class TurnReply:
    """What a turn answered. `refused` are the leases that were not ours any more,
    `suspects` how many jobs wait to run alone."""

    now_ms: int
    why: Why
    wait_ms: int
    suspects: int
    refused: frozenset[str]
    cancel: frozenset[str]
    sketches: dict[str, list[int]]
    claims: list[Claim]


def read_reply(queue: str, ask: TurnAsk, reply: list[Any]) -> TurnReply:
    """The script's flat answer as values."""
    now, why, wait, suspects, verdicts, cancel, sketches, flat = reply
    return TurnReply(
        now_ms=int(now),
        why=why,
        wait_ms=int(wait),
        suspects=int(suspects),
        refused=frozenset(
            s.lease for s, verdict in zip(ask.settles, verdicts, strict=False) if verdict == "0"
        ),
        cancel=frozenset(cancel.split()),
        sketches={
            name: [int(count) for count in sketch.split()]
            for name, sketch in zip(ask.ask_sketches, sketches, strict=True)
        },
        claims=[
            read_claim(queue, lease, record)
            for lease, record in zip(flat[::2], flat[1::2], strict=True)
        ],
    )


def read_claim(queue: str, lease: str, record: str | bytes) -> Claim:
    """One claimed job from its lease and its record. A record that can't be read is a body that
    nobody will understand: it dies alone, its neighbours run."""
    job_id, fence, _owner, _seq, solo = lease.split(" ")
    try:
        header, body, tail = read_record(record)
    except ValueError:
        raw = record if isinstance(record, bytes) else record.encode()
        return Claim(lease, job_id, int(fence), queue, 0, 0, solo == "1", raw, "")
    return Claim(
        lease,
        job_id,
        int(fence),
        queue,
        header.attempts,
        header.crashes,
        solo == "1",
        body,
        tail if isinstance(tail, str) else "",
        header.flags == "f",
        header.key,
    )
