"""Ends of a consumer's open leases, and when a turn must prolong them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..clock import Clock
from ..declare.policy import RateLimit
from ..store import TurnReply, TurnRequest
from ..store.turn import Settle
from .pace import Pace

LEASE = 45.0
"""Seconds of a lease. Turns prolong it while its job runs, so the jobs of a dead function come back
within a minute, however long its time was."""
HEARTBEAT = 15.0
"""Seconds between turns while everything runs and nothing ends: leases are prolonged with them."""
PROLONG_BELOW = LEASE - HEARTBEAT * 0.9
"""Turns prolong a lease that has fewer seconds left."""


class HeldLeases:
    """The leases of one consumer. Times are monotonic.

    On a limited queue the script adds to LEASE the time until the last token that was taken ahead:
    nothing else could start before, so a shorter lease would only cost turns that prolong it.
    """

    def __init__(self, limit: RateLimit | None, clock: Clock) -> None:
        self.pace, self._clock = Pace(limit, clock), clock
        self._until = math.inf

    def are_due(self) -> bool:
        """True if a turn that is about to be sent has to prolong them."""
        least = max(PROLONG_BELOW, HEARTBEAT + self.pace.gap)
        return self._until - self._clock.monotonic() < least

    def latest(self) -> float:
        """The time at which the next turn has to be sent, to prolong them."""
        return self._until - HEARTBEAT

    def asked_ms(self) -> int:
        """Milliseconds for which a turn asks. The script adds the time until the last token."""
        return round(LEASE * 1000)

    def lease_ms(self) -> int:
        """Milliseconds of a lease from now on: until all tokens taken here have come, and LEASE."""
        return round((self.pace.lead() + LEASE) * 1000)

    def note(
        self, request: TurnRequest, reply: TurnReply, sent_at: float, leases: Sequence[str]
    ) -> None:
        """Take note of a turn sent at `sent_at` while these `leases` were open."""
        if request.prolong or not leases:
            self._until = math.inf
        if any(settle.unstarted_ms for settle in request.settles):
            self.pace.forget()
        if request.prolong or any(map(_is_kept, request.settles)):
            self._until = min(self._until, sent_at + self.pace.lead() + LEASE)
        last_token = self.pace.note(reply, sent_at)
        if reply.claims:
            self._until = min(self._until, last_token + LEASE)


def _is_kept(settle: Settle) -> bool:
    return settle.kind in ("keep", "decide")
