"""The pace of a limited queue: its tokens are taken ahead of their time and its outcomes wait for
each other, so that a turn pays for many starts."""

from __future__ import annotations

from ..clock import Clock
from ..declare.policy import RateLimit
from ..store import TurnReply

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
