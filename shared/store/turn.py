"""One turn as values: the request of a drain and the answer of the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from ..declare.queue import Queue
from ..jobs.body import byte_length
from ..jobs.claim import Claim, Lease
from ..jobs.ids import created_ms
from ..jobs.outcome import Kind
from ..jobs.short_history import HistoryLevel
from ..jobs.sizes import MOST_BYTES_A_REQUEST
from .codec import DECIDED, FOREIGN, KIND_CODES, read_record
from .counters import write_counters
from .key_limits import turn_limits

Reason = Literal["more", "empty", "limited", "full", "paused", "suspect"]
"""Why a turn claimed fewer jobs than wanted; "more": there may be more."""
HISTORY_LEVELS: Mapping[str, HistoryLevel] = {"f": "full", "s": "short", "m": "minimal"}
"""By code (lua/lib/codes.lua)."""
CLAIM_MAX_BYTES = MOST_BYTES_A_REQUEST
"""Bytes claimed per turn, so that a reply stays well below the store's limit."""
REPEAT_MS = 10_000
"""How long a turn may be repeated, unless its request has a longer time."""
ISOLATED = 2
"""The value in place of 0 and 1 (exclusive). lua/lib/codes.lua has the same."""
MOST_HISTORY = 2 * 2**20
"""Characters of results and errors settled per turn: their quotes are escaped once more."""


class Settle(NamedTuple):
    """One lease to close (or, kinds "keep" and "decide", to prolong). `history` replaces the job's
    history. `unstarted_ms`: `at_ms` of the claim (the store's time from which it might start) if
    its handler was not called, so that its token can be given back; else 0. `label`: its progress
    and type for readers of events ("" where none are written)."""

    lease: str
    kind: Kind
    delay_ms: int = 0
    history: str = ""
    unstarted_ms: int = 0
    label: str = ""

    @property
    def head(self) -> str:
        """What lua/lib/request.lua reads."""
        kind, label = KIND_CODES[self.kind], f" {self.label}" if self.label else ""
        return f"{self.lease} {kind} {self.delay_ms} {self.unstarted_ms}{label}"


def count_that_fit(settles: Sequence[Settle]) -> int:
    """How many of these, from the first, fit into one request."""
    size = 0
    for n, settle in enumerate(settles):
        size += byte_length(settle.history)
        if n and size > MOST_HISTORY:
            return n
    return len(settles)


class TurnRequest(NamedTuple):
    """A request for one turn. `owner` and `seq` make it replay-safe: a repeat is answered alike.

    `exclusive`: nothing else runs in this process, so a quarantined job may be claimed. `isolated`:
    if such jobs wait, up to `want` of them are claimed, each for a child process. `resync`: recount
    the queue from its structures first. `want_histograms`: job types whose durations are wanted;
    `observed`: durations to add, as bucket -> count by job type. `ahead_ms`: how far ahead of their
    time tokens may be taken. `prolong`: leases whose jobs still run. `prefetch`: how many waiting
    jobs' records the turn reads at once, at no command of their own; None: as many as it wants.
    `repeat_ms`: how long the client may repeat this request. `settles_deaths`: jobs that crashed to
    death are handed out (as `crashed` claims), so that the caller settles them. `events`: the turn
    tells events. `counters`: what the drain counted.
    """

    owner: str
    seq: int
    want: int
    lease_ms: int
    settles: Sequence[Settle] = ()
    exclusive: bool = False
    isolated: bool = False
    resync: bool = False
    want_histograms: Sequence[str] = ()
    observed: Mapping[str, Mapping[int, int]] = {}
    ahead_ms: int = 0
    prolong: Sequence[str] = ()
    prefetch: int | None = None
    repeat_ms: int = REPEAT_MS
    settles_deaths: bool = False
    events: bool = False
    counters: Mapping[str, int] = {}

    def args(self, queue: Queue) -> list[str | int]:
        """ARGV of turn.lua behind the queue's name, in the order of lua/lib/request.lua."""
        limit = queue.limit
        types = dict.fromkeys([*self.want_histograms, *self.observed])
        args: list[str | int] = [
            self.owner,
            self.seq,
            self.want,
            self.lease_ms,
            ISOLATED if self.isolated else int(self.exclusive),
            queue.concurrency or 0,
            *((limit.rate, limit.per_ms, limit.burst) if limit else (0, 1, 1)),
            queue.completed.count,
            queue.completed.age_ms,
            CLAIM_MAX_BYTES,
            int(self.resync),
            len(types),
            len(self.settles),
            self.ahead_ms,
            len(self.prolong),
            self.want if self.prefetch is None else self.prefetch,
            self.repeat_ms,
            queue.max_bytes,
            queue.max_jobs,
            turn_limits(queue),
            int(self.settles_deaths),
            int(self.events),
        ]
        for name in types:
            counts = " ".join(f"{bucket}:{n}" for bucket, n in self.observed.get(name, {}).items())
            args += [name, int(name in self.want_histograms), counts]
        for settle in self.settles:
            args += [settle.head, settle.history]
        return [*args, *self.prolong, write_counters(self.counters)]


class TurnReply(NamedTuple):
    """The answer to a turn.

    `stale`: leases that were not ours any more. `suspects`: how many quarantined jobs wait.
    `cancel`: ids of active jobs whose cancellation is requested. `level`: the bucket's level before
    the claim, in units (see lua/lib/bucket.lua). `claimed_ms`: the instant of the claim, before
    `now_ms` where a repeated request was answered again. `history_level`: how much of histories
    the next settles store, by the bytes that the queue stores.
    """

    now_ms: int
    reason: Reason
    wait_ms: int
    suspects: int
    stale: frozenset[str]
    cancel: frozenset[str]
    histograms: dict[str, list[int]]
    claimed_ms: int
    level: int
    claims: list[Claim]
    history_level: HistoryLevel = "full"


def read_reply(queue: str, request: TurnRequest, reply: list[Any]) -> TurnReply:
    """The script's flat answer as values."""
    now, reason, wait, suspects, verdicts, cancel, histograms, at, level, histories, flat = reply
    claims = [
        read_claim(queue, lease, record, int(at))
        for lease, record in zip(flat[::2], flat[1::2], strict=True)
    ]
    if request.isolated:  # each suspect was claimed for a child process
        claims = [
            claim._replace(exclusive=False, isolated=True) if claim.exclusive else claim
            for claim in claims
        ]
    return TurnReply(
        now_ms=int(now),
        reason=reason,
        wait_ms=int(wait),
        suspects=int(suspects),
        stale=frozenset(
            s.lease for s, verdict in zip(request.settles, verdicts, strict=False) if verdict == "0"
        ),
        cancel=frozenset(cancel.split()),
        histograms={
            name: [int(count) for count in histogram.split()]
            for name, histogram in zip(request.want_histograms, histograms, strict=True)
        },
        claimed_ms=int(at),
        level=int(level),
        claims=claims,
        history_level=HISTORY_LEVELS[histories],
    )


def read_claim(queue: str, lease: str, record: str | bytes, at_ms: int = 0) -> Claim:
    """One claimed job from its lease and its record. A damaged record becomes a body that can't be
    decoded, so that it dies by itself and its neighbours run."""
    held = Lease.parse(lease)
    try:
        header, body, history = read_record(record)
    except ValueError:
        raw = record if isinstance(record, bytes) else record.encode()
        return Claim(lease, held.id, held.fence, queue, 0, 0, held.exclusive, raw, "", at_ms=at_ms)
    return Claim(
        lease,
        held.id,
        held.fence,
        queue,
        header.attempts,
        header.crashes,
        held.exclusive,
        body,
        history if isinstance(history, str) else "",
        FOREIGN in header.flags,
        header.key,
        at_ms,
        header.reason == "crashed",
        DECIDED in header.flags and isinstance(history, str),
        since_ms=int(header.since) if header.since else created_ms(held.id) or 0,
    )
