"""A notice: an alert that has begun or ended, as sinks tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .rules import Judgement

DROPPED = "dropped"
"""In place of a rule: the notice that stands for those that there was no room for."""
SENTENCES = {
    "backlog": "{0:.0f} waiting jobs",
    "parked": "{0:.0f} parked jobs",
    "failure_rate": "{0:.1%} of the attempts failed",
    "latency": "jobs take {0:.1f} times as long as usual",
    "crash_loop": "{0:.0f} leases whose function died",
    "queue_full": "{0:.0%} of its bounds are used",
    "store_bytes": "{0:.0%} of the store's plan is used",
    "missed_ticks": "work has been due for {0:.0f} s and no drain came",
    "archive_behind": "a dead letter has waited for the archive for {0:.0f} s",
    "refused": "{0:.0f} requests were refused for their token within an hour",
    "month_commands": "{0:.0%} of the month's commands are used",
    DROPPED: "{0:.0f} older notices could not be told and were dropped",
}
"""Rule -> the sentence of its value."""


@dataclass(frozen=True, slots=True)
class Notice:
    """`id` is the same in every try to send it, and where two evaluations found it. `pending`: the
    sinks that have not taken it yet."""

    id: str
    at_ms: int
    rule: str
    queue: str
    fired: bool
    value: float
    threshold: float | None
    pending: tuple[str, ...]

    @property
    def kind(self) -> str:
        """What it tells: "fired", "recovered", or "dropped"."""
        if self.rule == DROPPED:
            return DROPPED
        return "fired" if self.fired else "recovered"

    @property
    def text(self) -> str:
        """One sentence."""
        if self.kind == DROPPED:
            return describe(self.rule, self.value)
        what = SENTENCES[self.rule].format(self.value)
        place = f"queue {self.queue}: " if self.queue else ""
        return f"{place}{what}" if self.fired else f"{place}{self.rule} is over: {what}"


def describe(rule: str, value: float) -> str:
    """The sentence of a rule's value."""
    return SENTENCES[rule].format(value)


def notice_of(judgement: Judgement, at_ms: int, pending: tuple[str, ...]) -> Notice:
    """The notice that a judgement's alert has begun, or (where it is not beyond) ended."""
    fired = judgement.finding == "beyond"
    return Notice(
        id=f"{judgement.rule}.{judgement.queue}.{at_ms}.{'fired' if fired else 'recovered'}",
        at_ms=at_ms,
        rule=judgement.rule,
        queue=judgement.queue,
        fired=fired,
        value=judgement.value,
        threshold=judgement.threshold,
        pending=pending,
    )


def bounded(notices: Sequence[Notice], most: int) -> list[Notice]:
    """At most so many of these notices, the newest. One in front counts the others, for the sinks
    that have not told them."""
    if len(notices) <= most:
        return list(notices)
    lost, kept = notices[: len(notices) - most + 1], notices[len(notices) - most + 1 :]
    count = sum(round(one.value) if one.rule == DROPPED else 1 for one in lost)
    first = lost[0]
    sinks = tuple(dict.fromkeys(sink for one in lost for sink in one.pending))
    name = first.id if first.rule == DROPPED else f"{DROPPED}..{first.at_ms}.{DROPPED}"
    return [Notice(name, first.at_ms, DROPPED, "", True, count, None, sinks), *kept]
