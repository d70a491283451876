"""Time as a value that can be injected. Only the store's clock decides leases, delays and limits;
this one measures budgets (monotonic) and labels what people read (epoch)."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable


@runtime_checkable
class Clock(Protocol):
    """What Tidegate needs of time. Seconds as floats, epoch as whole milliseconds."""

    def monotonic(self) -> float:
        """Seconds on a clock that never steps back."""
        ...

    def epoch_ms(self) -> int:
        """Milliseconds since 1970 by this machine's clock, for labels only."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let others run for so long."""
        ...


class SystemClock:
    """The machine's own clock."""

    monotonic = staticmethod(time.monotonic)

    def epoch_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Every:
    """A limit of how often something is done: lines of a log that would all say the same."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._monotonic = seconds, monotonic
        self._last = -math.inf

    def is_due(self) -> bool:
        """True at most once in so many seconds. The caller then does it."""
        now = self._monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True

    def reset(self) -> None:
        """Let the next one be done at once."""
        self._last = -math.inf


def utc(ms: float) -> datetime:
    """The instant of these milliseconds since 1970."""
    return datetime.fromtimestamp(ms / 1000, UTC)
