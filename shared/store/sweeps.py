"""The sweeps of one process, which its drains have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

HOUR = 3_600_000.0
"""A clock that is ahead by less (ms) holds nothing up for longer (lua/lib/clock.lua)."""


@dataclass(slots=True)
class Sweeps:
    """`at`: when the last one of all queues began (monotonic). `queues`: those that any sweep of
    this process has looked at, also one of some queues only. `went_back`: the store's clock did, by
    more than an hour, and not all entries that it may have written are looked at. `sound`: queue →
    a far entry, or none (0), already checked and found legitimate."""

    at: float = -math.inf
    queues: set[str] = field(default_factory=set)
    went_back: bool = False
    sound: dict[str, float] = field(default_factory=dict)
    _latest: float = -math.inf

    def note(self, now: float) -> None:
        """Take note of the store's time (ms) at a tick."""
        if now < self._latest - HOUR:
            self.went_back = True
            self.sound.clear()
        self._latest = now
