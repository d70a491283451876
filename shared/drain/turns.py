"""One owner's numbered turns on one queue: the conversation of a consumer with the store.

A turn whose reply was lost is sent again under the same number, so the store answers it again.
"""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import Callable, Sequence

from ..declare.queue import Queue
from ..jobs.claim import Lease
from ..jobs.ids import public_id
from ..jobs.outcome import PAST
from ..store import Store, TurnReply, TurnRequest
from ..store.turn import Settle
from .admission import Admission
from .budget import Budget
from .pace import Pace
from .report import ConsumerReport

log = logging.getLogger("tidegate.drain")

LEASE = 45.0
"""Seconds of a lease. Turns prolong it while its job runs, so the jobs of a dead function come back
within a minute, however long its time was."""
HEARTBEAT = 15.0
"""Seconds between turns while everything runs and nothing ends: leases are prolonged with them, and
cancellations arrive."""
PROLONG_BELOW = LEASE - HEARTBEAT * 0.9
"""Seconds left of a lease below which a turn that flies anyway prolongs it."""
LAST_TURN_SECONDS = 1.0
"""A settle is tried for this long even at the very end: its lease outlives the function."""
FIRST_TURN_SECONDS = 10.0
"""The first turn is not repeated for longer: a store that is away should end the drain early."""


class Turns:
    """`round_trip`: seconds that the last turn took. `suspects`: False once a turn has said that
    there are none."""

    def __init__(
        self, store: Store, queue: Queue, budget: Budget, report: ConsumerReport, *, resync: bool
    ) -> None:
        self.round_trip = 0.0
        self.sent_at = time.monotonic()
        self.suspects = True
        self._store, self._queue, self._budget, self._report = store, queue, budget, report
        self._owner, self._seq, self._resync = secrets.token_hex(6), 0, resync
        self.pace = Pace(queue.limit, budget.clock)
        self._held_until = math.inf

    async def send(
        self,
        want: int,
        settles: Sequence[Settle],
        admission: Admission,
        *,
        exclusive: bool,
        leases: Callable[[], Sequence[str]] = tuple,
    ) -> TurnReply:
        """Settle these and claim up to `want`. The `leases` that stay open are prolonged when it is
        time. Raises StoreError."""
        now, open_leases = self._budget.clock.monotonic(), leases()
        prolong = open_leases if self._is_due_for_prolonging(settles, now) else ()
        ahead = min(self.pace.ahead, admission.spare()) if self.pace.ahead else 0.0
        self._seq += 1
        self._report.turns += 1
        request = TurnRequest(
            owner=self._owner,
            seq=self._seq,
            want=want,
            lease_ms=round(LEASE * 1000),
            settles=settles,
            exclusive=exclusive,
            resync=self._resync,
            want_histograms=sorted(self._queue.types) if self._seq == 1 else (),
            observed=admission.take_observed(),
            ahead_ms=round(ahead * 1000),
            prolong=prolong,
        )
        reply = await self._send(request)
        admission.learn(reply.histograms)
        self._note_leases(request, reply, now, any_open=bool(open_leases))
        self._count(settles, reply)
        return reply

    def _is_due_for_prolonging(self, settles: Sequence[Settle], now: float) -> bool:
        if any(settle.unstarted_ms for settle in settles):
            self.pace.forget()
        least = max(PROLONG_BELOW, HEARTBEAT + self.pace.gap)
        return self._held_until - now < least

    def _note_leases(
        self, request: TurnRequest, reply: TurnReply, now: float, *, any_open: bool
    ) -> None:
        """Note until when all open leases hold. The script adds to LEASE the time until the last
        token that was taken ahead."""
        if request.prolong or not any_open:
            self._held_until = math.inf
        if request.prolong or any(settle.kind == "keep" for settle in request.settles):
            self._held_until = min(self._held_until, now + self.pace.lead() + LEASE)
        last_token = self.pace.note(reply, now)
        if reply.claims:
            self._held_until = min(self._held_until, last_token + LEASE)

    def latest(self) -> float:
        """The time (monotonic) at which the next turn must prolong the open leases."""
        return self._held_until - HEARTBEAT

    def pause(self) -> float:
        """Seconds for which the next turn may wait for more outcomes: nothing can start before."""
        return self.pace.pause(self.round_trip)

    def lease_ms(self) -> int:
        """Milliseconds of a lease from now on: until all tokens taken here have come, and LEASE."""
        return round((self.pace.lead() + LEASE) * 1000)

    async def _send(self, request: TurnRequest) -> TurnReply:
        clock, left = self._budget.clock, self._budget.left()
        within = max(LAST_TURN_SECONDS, left if self._seq > 1 else min(FIRST_TURN_SECONDS, left))
        self._resync, began = False, clock.monotonic()
        self.sent_at = time.monotonic()
        reply = await self._store.turn(self._queue, request, within=within)
        self.round_trip = clock.monotonic() - began
        self.suspects = reply.suspects > 0
        return reply

    def _count(self, settles: Sequence[Settle], reply: TurnReply) -> None:
        self._report.claimed += len(reply.claims)
        for settle in settles:
            if settle.lease in reply.stale:
                self._report.stale += 1
                job_id = public_id(Lease.parse(settle.lease).id, self._queue.name)
                log.warning("stale_settle", extra={"queue": self._queue.name, "job_id": job_id})
            elif settle.kind != "keep":
                self._report.outcomes[PAST[settle.kind]] += 1
