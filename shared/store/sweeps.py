"""The sweeps of one process, which its drains have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(slots=True)
class Sweeps:
    """`at`: when the last one of all queues began (monotonic). `queues`: those that any sweep of
    this process has looked at, also one of some queues only."""

    at: float = -math.inf
    queues: set[str] = field(default_factory=set)
