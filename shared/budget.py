"""How much time this invocation has left. Nothing else in Tidegate knows a deadline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .clock import Clock, SystemClock

_RESERVE_SHARE = 0.1
_RESERVE_MIN = 0.5
_RESERVE_MAX = 3.0


class LambdaContext(Protocol):
    """The one method of Lambda's context object that a budget needs."""

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Budget:
    """A window of time that ends at `deadline` (seconds on `clock.monotonic`).

    The last `reserve` seconds are for settling and are never spent on handlers.
    """

    deadline: float
    reserve: float
    total: float
    clock: Clock

    @classmethod
    def of(
        cls, seconds: float, *, clock: Clock | None = None, reserve: float | None = None
    ) -> Budget:
        """A budget of `seconds` from now. The reserve: a tenth, 0.5 to 3 s, unless given."""
        clock = clock or SystemClock()
        share = min(_RESERVE_MAX, max(_RESERVE_MIN, seconds * _RESERVE_SHARE))
        kept = min(share if reserve is None else reserve, seconds / 2)
        return cls(clock.monotonic() + seconds, kept, seconds, clock)

    @classmethod
    def from_lambda(cls, context: LambdaContext, *, clock: Clock | None = None) -> Budget:
        """What Lambda says is left (it kills the function at that instant)."""
        return cls.of(context.get_remaining_time_in_millis() / 1000, clock=clock)

    def left(self) -> float:
        """Seconds until the platform ends this invocation; never below 0."""
        return max(0.0, self.deadline - self.clock.monotonic())

    def for_handlers(self) -> float:
        """Seconds that handlers may still use: what is left without the settle reserve."""
        return max(0.0, self.left() - self.reserve)

    def allows(self, seconds: float) -> bool:
        """Is something that is expected to take `seconds` expected to fit?"""
        return seconds <= self.for_handlers()

    def ever_allows(self, seconds: float) -> bool:
        """Would it fit a whole window like this one?"""
        return seconds <= self.total - self.reserve

    def used(self) -> float:
        """Seconds since this budget began."""
        return self.total - self.left()
