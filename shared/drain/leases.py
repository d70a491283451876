"""Ends of a consumer's open leases, and when a turn must prolong them.

The pace of a limited queue: its tokens are taken ahead of their time and its outcomes wait for each
other, so that a turn pays for many starts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..clock import Clock
from ..declare.policy import RateLimit
from ..store import TurnReply, TurnRequest

LEASE = 45.0
"""Seconds of a lease. Turns prolong it while its job runs, so the jobs of a dead function come back
within a minute, however long its time was."""
LEASE_MS = round(LEASE * 1000)
"""The length of a lease in the request of a turn. Of jobs that start at tokens to come, the script
makes it longer, by the time until the last of those tokens."""
HEARTBEAT = 15.0
"""Seconds between turns while everything runs and nothing ends: leases are prolonged with them."""
PROLONG_BELOW = LEASE - HEARTBEAT * 0.9
"""Turns prolong a lease that has fewer seconds left."""
LEAST_AHEAD, MOST_AHEAD = 20.0, 60.0
"""Seconds for which tokens are taken ahead of their time. Each job starts at the time of its token.
If the function dies, its tokens are lost and its jobs come back that much later."""
TURN_STARTS = 16
"""Starts for which a turn takes tokens, as far as MOST_AHEAD allows."""
SETTLE_BATCH = 16
"""Outcomes that are settled together while other jobs wait for their tokens. A limited queue ends
one job at a time, and each would cost a turn of its own."""


class Pace:
    """`ahead`: seconds for which tokens are taken, and for which outcomes wait; 0 without a limit.
    `gap`: seconds between turns of a queue with a backlog. Times are monotonic."""

    def __init__(self, limit: RateLimit | None, clock: Clock) -> None:
        self._limit, self._clock = limit, clock
        self._spacing = limit.per / limit.rate if limit else 0.0
        wanted = max(LEAST_AHEAD, TURN_STARTS * self._spacing)
        self.ahead = min(MOST_AHEAD, wanted) if limit else 0.0
        self.gap = min(self.ahead, SETTLE_BATCH * self._spacing)
        self._taken_until = self._next_start = 0.0

    def note(self, reply: TurnReply, sent_at: float) -> float:
        """Take note of the tokens that a turn, sent at `sent_at`, has taken. Returns the time of
        the last one."""
        if self._limit is None:
            return sent_at
        last = sent_at + self._limit.seconds_until(len(reply.claims), reply.level)
        self._taken_until = max(self._taken_until, last)
        self._next_start = last + self._spacing if reply.reason == "limited" else 0.0
        return last

    def forget(self) -> None:
        """Tokens are given back: which ones were the last is not known any more."""
        self._taken_until = 0.0

    def lead(self) -> float:
        """Seconds from now to the time of the last token that was taken here."""
        return max(0.0, self._taken_until - self._clock.monotonic())

    def pause(self, round_trip: float, *, more_come: bool) -> float:
        """Seconds for which a turn waits for the outcomes of jobs that run: a round trip or, unless
        `more_come` that wait for their tokens, until the next job can start."""
        idle = 0.0 if more_come else self._next_start - self._clock.monotonic() - round_trip
        return max(round_trip, idle)


class LeaseClock:
    """When the leases of one consumer end, and when to prolong them. Times are monotonic.

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
        kept = any(settle.kind in ("keep", "decide") for settle in request.settles)
        if request.prolong or kept:
            self._until = min(self._until, sent_at + self.pace.lead() + LEASE)
        last_token = self.pace.note(reply, sent_at)
        if reply.claims:
            self._until = min(self._until, last_token + LEASE)
