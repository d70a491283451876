"""One owner's numbered turns on one queue: what a lane and the store must agree on.

A turn whose reply was lost is sent again under the same number, so the store answers it again.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence

from .admission import Admission
from .budget import Budget
from .queue import Queue
from .report import LaneReport
from .store import Store, TurnAsk, TurnReply
from .store.turn import Settle

log = logging.getLogger("tidegate.drain")

LEASE_MARGIN = 5.0
"""Seconds a lease outlives its function: the platform has killed it long before."""
FIRST_TURN_WITHIN = 10.0


class Turns:
    """`round_trip`: seconds the last one took. `suspects`: may there be some? True until told."""

    def __init__(
        self, store: Store, queue: Queue, budget: Budget, report: LaneReport, *, look: bool
    ) -> None:
        self.round_trip = 0.0
        self.suspects = True
        self._store, self._queue, self._budget, self._report = store, queue, budget, report
        self._owner, self._seq, self._look = secrets.token_hex(6), 0, look

    async def send(
        self, want: int, settles: Sequence[Settle], admission: Admission, *, alone: bool
    ) -> TurnReply:
        """Settle these and claim up to `want`. Raises StoreError."""
        self._seq += 1
        self._report.turns += 1
        clock, left = self._budget.clock, self._budget.left()
        ask = TurnAsk(
            owner=self._owner,
            seq=self._seq,
            want=want,
            lease_ms=round((left + LEASE_MARGIN) * 1000),
            settles=settles,
            alone=alone,
            look=self._look,
            ask_sketches=sorted(self._queue.types) if self._seq == 1 else (),
            observed=admission.take_observed(),
        )
        within = max(1.0, left if self._seq > 1 else min(FIRST_TURN_WITHIN, left))
        self._look, began = False, clock.monotonic()
        reply = await self._store.turn(self._queue, ask, within=within)
        self.round_trip = clock.monotonic() - began
        self.suspects = reply.suspects > 0
        admission.learn(reply.sketches)
        self._count(settles, reply)
        return reply

    def _count(self, settles: Sequence[Settle], reply: TurnReply) -> None:
        self._report.claimed += len(reply.claims)
        for settle in settles:
            if settle.lease in reply.refused:
                self._report.late += 1
                job_id = settle.lease.split(" ")[0]
                log.warning("late_settle", extra={"queue": self._queue.name, "job_id": job_id})
            elif settle.kind != "keep":
                self._report.outcomes[settle.kind] += 1
