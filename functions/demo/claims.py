"""The claims of the demonstration about the engine, checked against the server's counts, not the
jobs. Each application's workload adds its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

UNFINISHED = ("waiting", "delayed", "active", "parked")
NOT_OUTCOMES = ("stop", "claimed", "turns")


@dataclass(frozen=True, slots=True)
class Bill:
    """Requests and billed commands, as one side counted them."""

    requests: int
    commands: int

    def __str__(self) -> str:
        return f"{self.requests:,} requests, {self.commands:,} billed commands"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The counts after the last job's end. `outcomes`: queue -> outcomes of all ticks; `idle`:
    billed commands of a tick without work; `dead`: the dead letters that the workloads mean to
    leave."""

    outcomes: Mapping[str, Counter[str]]
    stats: Mapping[str, Any]
    client: Bill
    server: Bill
    idle: int
    dead: int = 0

    def outcomes_of(self, queue: str) -> Counter[str]:
        """None, where no job of the queue ran."""
        return self.outcomes.get(queue, Counter())


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence, whether it holds, and the numbers behind it."""

    sentence: str
    holds: bool
    numbers: str


def equal(sentence: str, found: object, expected: object) -> Claim:
    """The claim that two numbers are equal."""
    return Claim(sentence, found == expected, f"{found} of {expected}")


def excess(times: Sequence[float], *, burst: int, rate: float, lag: float) -> float:
    """Starts of the fullest window above burst + rate x window (negative: below). `times` in order;
    `rate` per second; `lag`: seconds that may lie between a start, which the limit counts, and its
    time here."""
    return max(
        (
            last - first + 1 - burst - rate * (times[last] - times[first] + lag)
            for first in range(len(times))
            for last in range(first, len(times))
        ),
        default=0.0,
    )


def within_limit(
    sentence: str, times: Sequence[float], *, burst: int, rate: float, lag: float
) -> Claim:
    """The claim that no window has more starts than a limit allows."""
    above = excess(times, burst=burst, rate=rate, lag=lag)
    numbers = f"the fullest window has {abs(above):.1f} {'more' if above > 0 else 'less'}"
    return Claim(sentence, above <= 1, numbers)


def count_outcomes(reports: Sequence[Mapping[str, Any]]) -> dict[str, Counter[str]]:
    """Queue -> outcomes, added up over the reports of all ticks."""
    outcomes: dict[str, Counter[str]] = {}
    for report in reports:
        for name, entry in report["queues"].items():
            counts = {kind: n for kind, n in entry.items() if kind not in NOT_OUTCOMES}
            outcomes.setdefault(name, Counter()).update(counts)
    return outcomes


def check(evidence: Evidence) -> Iterator[Claim]:
    """The claims about the engine, also those that do not hold."""
    client, server, idle = evidence.client, evidence.server, evidence.idle
    yield Claim("client and server agree on the bill", client == server, f"{client}; {server}")
    yield Claim("a tick without work costs one command", idle == 1, f"{idle}")
    counts, totals = evidence.stats["counts"], evidence.stats["totals"]
    left = {state: n for state in UNFINISHED if (n := counts[state])}
    yield Claim("no job is left", not left, f"{left or 'none'}")
    yield equal("the dead letters are those that were meant", counts["dead"], evidence.dead)
    lost = {name: n for name in ("lost", "crashed", "cancelled") if (n := totals[name])}
    yield Claim("no job was lost", not lost, f"{lost or 'none'}")
    done = sum(outcomes["done"] for outcomes in evidence.outcomes.values())
    sentence = "the ticks reported as many done jobs as the store counted"
    yield Claim(sentence, done == totals["done"], f"{done:,}; {totals['done']:,}")
