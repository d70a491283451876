"""One owner's numbered turns on one queue: the conversation of a consumer with the store.

A turn whose reply was lost is sent again under the same number, so the store answers it again. It
also carries what the process has counted for metrics since the last turn of its queue.
"""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..declare.queue import Queue
from ..jobs.claim import Lease
from ..jobs.ids import public_id
from ..jobs.outcome import PAST
from ..store import TurnReply, TurnRequest
from ..store.counters import ANY, DURATION, HELD, WAIT
from ..store.turn import CLAIM_MAX_BYTES, Settle
from .admission import Admission
from .budget import Budget
from .durations import bucket_of
from .leases import LEASE_MS, LeaseClock
from .report import ConsumerReport
from .resources import DrainResources
from .suspects import ClaimPlan

log = logging.getLogger("tidegate.drain")

LAST_TURN_SECONDS = 1.0
"""A settle is tried for this long even at the very end: its lease outlives the function."""
CLOSING_TURN_SECONDS = 30.0
"""A turn that closes all its owner's leases is repeated for at most this long. Its answer is stored
meanwhile, and every turn of the queue reads it, so keep it short."""
FIRST_TURN_SECONDS = 10.0
"""The first turn is not repeated for longer: a store that is away should end the drain early."""
FIRST_PREFETCH = 10
"""Records that the first turn reads before their size is known."""
HOLDING = frozenset({"limited", "full", "paused"})
"""Reasons of a turn that name what holds jobs back."""


class Turns:
    """`round_trip`: seconds that the last turn took."""

    def __init__(
        self,
        resources: DrainResources,
        queue: Queue,
        budget: Budget,
        admission: Admission,
        report: ConsumerReport,
        *,
        resync: bool,
    ) -> None:
        self.round_trip = 0.0
        self.sent_at = time.monotonic()
        self._store, self._queue, self._budget = resources.store, queue, budget
        self._admission, self._report = admission, report
        self._owner, self._seq, self._resync = secrets.token_hex(6), 0, resync
        self.lease_clock = LeaseClock(queue.limit if queue.may_take_ahead else None, budget.clock)
        followers = [job_type.followers for job_type in queue.types.values()]
        self._always: dict[str, Any] = {
            "settles_deaths": any(one.dead for one in followers),
            "events": resources.tells_events,
        }
        self._bytes, self._expects_jobs = 0, True

    async def send(
        self, plan: ClaimPlan, settles: Sequence[Settle], leases: Sequence[str]
    ) -> TurnReply:
        """Settle these and claim what the plan says. The open `leases` are prolonged when it is
        time. Raises StoreError."""
        now, ahead = self._budget.clock.monotonic(), self.lease_clock.pace.ahead
        self._seq += 1
        request = TurnRequest(
            owner=self._owner,
            seq=self._seq,
            want=plan.want,
            lease_ms=LEASE_MS,
            settles=settles,
            exclusive=plan.exclusive,
            isolated=plan.isolated,
            resync=self._resync,
            want_histograms=sorted(self._queue.types) if self._seq == 1 else (),
            **self._observations(),
            ahead_ms=round(min(ahead, self._admission.spare()) * 1000) if ahead else 0,
            prolong=leases if self.lease_clock.are_due() else (),
            prefetch=self._prefetch(),
            **self._always,
            repeat_ms=math.ceil(self._within(settles, leases) * 1000),
        )
        reply = await self._send(request)
        self.lease_clock.note(request, reply, now, leases)
        self._count(settles, reply)
        return reply

    def _observations(self) -> dict[str, Any]:
        """What came up since the last turn: durations by job type as bucket -> count, and counts
        for metrics."""
        observed, uncounted = self._admission.take_observed(), self._store.uncounted
        counters = uncounted.pop(self._queue.name, Counter())
        counters.update(uncounted.pop(ANY, Counter()))
        for counts in observed.values():
            counters.update({f"{DURATION}{bucket}": count for bucket, count in counts.items()})
        return {"observed": observed, "counters": counters}

    def _prefetch(self) -> int:
        """How many records the store may read before it has seen the queue's numbers: as many as a
        reply has room for, and none after a turn that took all that waited."""
        if not self._expects_jobs:
            return 0
        if not self._bytes:
            return FIRST_PREFETCH
        return CLAIM_MAX_BYTES * self._report.claimed // self._bytes + 1

    def _within(self, settles: Sequence[Settle], leases: Sequence[str]) -> float:
        """Seconds for which a turn is repeated."""
        most = left = self._budget.left()
        if self._seq == 1:
            most = FIRST_TURN_SECONDS
        elif _closes(settles, leases):
            most = CLOSING_TURN_SECONDS
        return max(LAST_TURN_SECONDS, min(most, left))

    async def _send(self, request: TurnRequest) -> TurnReply:
        self._report.turns += 1
        clock, within = self._budget.clock, request.repeat_ms / 1000
        self._resync, began = False, clock.monotonic()
        self.sent_at = time.monotonic()
        reply = await self._store.turn(self._queue, request, within=within)
        self.round_trip = clock.monotonic() - began
        self._expects_jobs = reply.reason != "empty"
        remember = self._store.suspects.add if reply.suspects else self._store.suspects.discard
        remember(self._queue.name)
        self._admission.learn(reply.histograms)
        return reply

    def _count(self, settles: Sequence[Settle], reply: TurnReply) -> None:
        counted = self._store.uncounted[self._queue.name]
        for claim in reply.claims:
            if claim.since_ms:
                counted[f"{WAIT}{bucket_of((claim.at_ms - claim.since_ms) / 1000)}"] += 1
        if reply.reason in HOLDING:
            counted[HELD + reply.reason] += 1
        self._report.claimed += len(reply.claims)
        self._bytes += sum(len(claim.body) + len(claim.history) + 1 for claim in reply.claims)
        for settle in settles:
            if settle.lease in reply.stale:
                self._report.stale += 1
                job_id = public_id(Lease.parse(settle.lease).id, self._queue.name)
                log.warning("stale_settle", extra={"queue": self._queue.name, "job_id": job_id})
            elif settle.kind in PAST:
                self._report.outcomes[PAST[settle.kind]] += 1


def _closes(settles: Sequence[Settle], leases: Sequence[str]) -> bool:
    """True if no lease is left open. That of a suspect counts as left: if its outcome arrives late,
    it still tells that no crash ended it."""
    if len(settles) < len(leases):
        return False
    closed = [s.lease for s in settles if s.kind in PAST and not Lease.parse(s.lease).exclusive]
    return len(closed) >= len(leases)
