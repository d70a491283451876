"""What a drain did, as values: one report a lane, one for the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class LaneReport:
    """What one queue's lane did, and why it stopped."""

    queue: str
    stop: str = "empty"
    claimed: int = 0
    turns: int = 0
    late: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a drain did. Logged once and returned by every adapter."""

    stop: str
    queues: list[LaneReport]
    requests: int
    commands: int
    bytes: int
    seconds_used: float
    seconds_left: float
    outcomes: Counter[str] = field(default_factory=Counter)
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "stop": self.stop,
            "outcomes": dict(self.outcomes),
            "claimed": sum(lane.claimed for lane in self.queues),
            "late": sum(lane.late for lane in self.queues),
            "queues": self._by_queue(),
            "store": {
                "requests": self.requests,
                "billed_commands": self.commands,
                "bytes": self.bytes,
            },
            "seconds": {"used": round(self.seconds_used, 3), "left": round(self.seconds_left, 3)},
            **({"error": self.error} if self.error else {}),
        }

    def _by_queue(self) -> dict[str, dict[str, Any]]:
        """One entry a queue; the lanes of one queue count together."""
        merged: dict[str, dict[str, Any]] = {}
        for lane in self.queues:
            entry = merged.setdefault(lane.queue, {"stop": "", "claimed": 0, "turns": 0})
            entry["stop"] = lane.stop
            for name, count in {
                "claimed": lane.claimed,
                "turns": lane.turns,
                **lane.outcomes,
            }.items():
                entry[name] = entry.get(name, 0) + count
        return merged


def stop_of(lanes: Sequence[LaneReport]) -> str:
    """The reason of the whole: the one that leaves work behind wins over "empty"."""
    reasons = {lane.stop for lane in lanes}
    for reason in ("store", "sigterm", "budget", "limited", "full", "paused"):
        if reason in reasons:
            return reason
    return "empty" if lanes else "idle"
