"""What a drain did: one report for each consumer, one for the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ..store.meter import Meter
    from .budget import Budget


class StopReason(StrEnum):
    """Why a consumer or a drain ended, the gravest first."""

    ERROR = "error"
    """A bug of ours, or a key that no script can read, ended one queue's part."""
    STORE = "store"
    """The store failed."""
    SHUTDOWN = "shutdown"
    """SIGTERM, Ctrl-C or an operator ended it."""
    BUDGET = "budget"
    """The function's time was used up."""
    LIMITED = "limited"
    """The rate limit allows no start soon."""
    FULL = "full"
    """As many jobs run elsewhere as the queue's concurrency allows."""
    PAUSED = "paused"
    EMPTY = "empty"
    """Nothing was left to run."""
    IDLE = "idle"
    """No queue had work."""


def gravest(reasons: Iterable[StopReason]) -> StopReason:
    """The reason of the whole: one that leaves work behind comes before "empty"."""
    order = list(StopReason)
    return min(reasons, key=order.index, default=StopReason.IDLE)


@dataclass(slots=True)
class ConsumerReport:
    """What one consumer did on its queue, and why it stopped. `outcomes` counts by past tense;
    `stale`: settles that the store refused because their lease was not ours any more."""

    queue: str
    stop: StopReason = StopReason.EMPTY
    claimed: int = 0
    turns: int = 0
    stale: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    error: str | None = None


class Report(NamedTuple):
    """What a drain did. Logged once, and returned by every adapter."""

    stop: StopReason
    queues: list[ConsumerReport]
    by_queue: dict[str, dict[str, Any]]
    """Queue -> its stop and its counts, those of all its consumers together. JSON values."""
    requests: int
    commands: int
    bytes: int
    seconds_used: float
    seconds_left: float
    outcomes: Counter[str]
    continued: Sequence[str]
    """The queues for whose jobs it has called another drain."""
    loop_lag: float
    """The longest that a handler kept the event loop from running, in seconds (0: below 5)."""
    error: str | None
    """What failed, in its own words, where `stop` is "error" or "store"."""

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "stop": self.stop.value,
            "outcomes": dict(self.outcomes),
            "claimed": sum(one.claimed for one in self.queues),
            "stale": sum(one.stale for one in self.queues),
            "queues": self.by_queue,
            "store": {
                "requests": self.requests,
                "billed_commands": self.commands,
                "bytes": self.bytes,
            },
            "seconds": {"used": round(self.seconds_used, 3), "left": round(self.seconds_left, 3)},
            **({"continued": list(self.continued)} if self.continued else {}),
            **({"loop_lag": round(self.loop_lag, 1)} if self.loop_lag else {}),
            **({"error": self.error} if self.error else {}),
        }


def _by_queue(reports: Sequence[ConsumerReport]) -> dict[str, dict[str, Any]]:
    """One entry a queue; several consumers of a queue are added up."""
    merged: dict[str, dict[str, Any]] = {}
    for one in reports:
        entry = merged.setdefault(one.queue, {"stop": one.stop.value, "claimed": 0, "turns": 0})
        entry["stop"] = gravest([StopReason(entry["stop"]), one.stop]).value
        for name, count in {"claimed": one.claimed, "turns": one.turns, **one.outcomes}.items():
            entry[name] = entry.get(name, 0) + count
    return merged


def sum_up(
    reports: list[ConsumerReport],
    stopping: StopReason | None,
    used: Meter,
    budget: Budget,
    *,
    loop_lag: float,
    continued: Sequence[str],
    error: str | None,
) -> Report:
    """The report of a drain from those of its consumers. `stopping`: why it was told to end.
    `error`: of the store."""
    outcomes: Counter[str] = Counter()
    for one in reports:
        outcomes.update(one.outcomes)
    failures = [(StopReason.STORE, error)] if error else []
    failures += [(one.stop, one.error) for one in reports if one.error]
    stops = [reason for reason, _ in failures] + [one.stop for one in reports]
    stop = gravest([*stops, *([stopping] if stopping else [])])
    return Report(
        stop=stop,
        queues=reports,
        by_queue=_by_queue(reports),
        requests=used.requests,
        commands=used.commands,
        bytes=used.bytes_in + used.bytes_out,
        seconds_used=budget.used(),
        seconds_left=budget.left(),
        outcomes=outcomes,
        continued=continued,
        loop_lag=loop_lag,
        error=next((text for reason, text in failures if reason is stop), None),
    )
