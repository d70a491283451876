"""The time that an invocation has left. Nothing else in Tidegate holds a deadline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from ..clock import Clock, SystemClock
from ..declare.policy import LONGEST_RESERVE
from ..errors import ConfigurationError

_RESERVE_SHARE = 0.1
_RESERVE_MIN = 0.5


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
        """A budget of `seconds` from now. The reserve: a tenth, 0.5 to 3 s, unless given.

        Raises ConfigurationError."""
        if not math.isfinite(seconds):
            raise ConfigurationError(f"budget={seconds}: choose a number of seconds")
        clock = clock or SystemClock()
        share = min(LONGEST_RESERVE, max(_RESERVE_MIN, seconds * _RESERVE_SHARE))
        reserved = min(share if reserve is None else reserve, seconds / 2)
        return cls(clock.monotonic() + seconds, reserved, seconds, clock)

    @classmethod
    def from_lambda(cls, context: LambdaContext, *, clock: Clock | None = None) -> Budget:
        """Lambda's remaining time: it kills the function at its end."""
        return cls.of(context.get_remaining_time_in_millis() / 1000, clock=clock)

    def left(self) -> float:
        """Seconds until the platform ends this invocation; never below 0."""
        return max(0.0, self.deadline - self.clock.monotonic())

    def handler_time(self) -> float:
        """Seconds that handlers may still use: the time left without the settle reserve."""
        return max(0.0, self.deadline - self.reserve - self.clock.monotonic())

    @property
    def window(self) -> float:
        """Seconds that handlers get in a whole function like this one."""
        return self.total - self.reserve

    def allows(self, seconds: float) -> bool:
        """True if something that takes `seconds` fits what is left."""
        return seconds <= self.handler_time()

    def ever_allows(self, seconds: float) -> bool:
        """True if it fits a whole window like this one."""
        return seconds <= self.window

    def used(self) -> float:
        """Seconds since this budget began."""
        return self.total - (self.deadline - self.clock.monotonic())
