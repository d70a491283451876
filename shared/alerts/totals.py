"""Totals of the whole deployment: refused requests, and the commands of the month. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

WINDOW_MS = 3_600_000
"""Refused requests are counted for an hour, then anew."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What the deployment has ever counted, and since when it is compared. `since_ms`, `base`: when
    the count of refused requests began anew, and what it was then. `month`: the calendar month in
    UTC, "2026-11"; `spent`: the billed commands that were counted in it."""

    since_ms: int
    base: int
    refused: int
    commands: int
    month: str
    spent: int

    @classmethod
    def first(cls, now_ms: int, refused: int, commands: int) -> Totals:
        """The totals of a first evaluation: what was counted before it is not judged."""
        return cls(now_ms, refused, refused, commands, _month(now_ms), 0)

    def at(self, now_ms: int, refused: int, commands: int) -> Totals:
        """The totals after this evaluation. A count that has fallen was deleted: it begins anew.
        So does an hour that began while the store's clock was ahead."""
        month, more = _month(now_ms), max(0, commands - self.commands)
        spent = self.spent + more if month == self.month else more
        base = min(self.base, refused)
        since = min(self.since_ms, now_ms)
        return Totals(since, base, refused, commands, month, spent)

    def refused_within(self, now_ms: int, threshold: float) -> int | None:
        """How many requests were refused since the count began: known as soon as they are beyond
        the threshold, and else once the hour is over."""
        count = self.refused - self.base
        return count if count > threshold or now_ms - self.since_ms >= WINDOW_MS else None

    def anew(self, now_ms: int) -> Totals:
        """The same, with the count of refused requests begun anew."""
        return Totals(now_ms, self.refused, self.refused, self.commands, self.month, self.spent)


def _month(now_ms: int) -> str:
    return f"{datetime.fromtimestamp(now_ms / 1000, UTC):%Y-%m}"
