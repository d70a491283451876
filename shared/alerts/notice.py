"""A notice: an alert that has begun or ended, as sinks tell it."""

from __future__ import annotations

from dataclasses import dataclass

from .rules import Verdict

SENTENCES = {
    "backlog": "{0:.0f} waiting jobs",
    "failure_rate": "{0:.1%} of the attempts failed",
    "latency": "jobs take {0:.1f} times as long as usual",
    "crash_loop": "{0:.0f} leases whose function died",
    "queue_full": "{0:.0%} of its bounds are used",
    "store_bytes": "{0:.0%} of the store's plan is used",
    "missed_ticks": "work has been due for {0:.0f} s and no drain came",
    "archive_behind": "a dead letter has waited for the archive for {0:.0f} s",
}
"""Rule -> what its value says."""


@dataclass(frozen=True, slots=True)
class Notice:
    """`id` is the same in every try to tell it, and where two evaluations found it. `pending`: the
    sinks that have not told it yet."""

    id: str
    at_ms: int
    rule: str
    queue: str
    fired: bool
    value: float
    threshold: float | None
    pending: tuple[str, ...]

    @property
    def text(self) -> str:
        """One sentence."""
        what = SENTENCES[self.rule].format(self.value)
        place = f"queue {self.queue}: " if self.queue else ""
        return f"{place}{what}" if self.fired else f"{place}{self.rule} is over: {what}"


def describe(rule: str, value: float) -> str:
    """What the value of a rule says."""
    return SENTENCES[rule].format(value)


def notice_of(verdict: Verdict, at_ms: int, pending: tuple[str, ...]) -> Notice:
    """The notice that a verdict's alert has begun, or (where it is not beyond) ended."""
    fired = verdict.finding == "beyond"
    return Notice(
        id=f"{verdict.rule}.{verdict.queue}.{at_ms}.{'fired' if fired else 'recovered'}",
        at_ms=at_ms,
        rule=verdict.rule,
        queue=verdict.queue,
        fired=fired,
        value=verdict.value,
        threshold=verdict.threshold,
        pending=pending,
    )
