"""The claims of the demonstration, checked against files and the server's counts, not the jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BURST, RATE = 100, 100 / 60
"""The limit of emails: 100 per 60 s."""
LAG = 3.0
"""Seconds that may lie between an email's start, which the limit counts, and its file."""
UNFINISHED = ("waiting", "delayed", "active", "parked", "dead")
NOT_OUTCOMES = ("stop", "claimed", "turns")


@dataclass(frozen=True, slots=True)
class Workload:
    """The jobs of the demonstration, as the API answered them."""

    emails: Sequence[str]
    early: Sequence[str]
    """Ids of the emails that must fail once."""
    imports: Mapping[str, dict[str, Any]]
    """Account -> the import job after its end."""
    lines: Mapping[str, int]
    """Account -> lines of its file below the header."""


@dataclass(frozen=True, slots=True)
class Bill:
    """Requests and billed commands, as one side counted them."""

    requests: int
    commands: int

    def __str__(self) -> str:
        return f"{self.requests:,} requests, {self.commands:,} billed commands"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The counts after the last job's end. `recorded`: account -> rows in the journal; `sent`: when
    each email reached the mail folder; `idle`: billed commands of a tick without work."""

    recorded: Mapping[str, int]
    sent: Sequence[float]
    outcomes: Mapping[str, Counter[str]]
    stats: Mapping[str, Any]
    client: Bill
    server: Bill
    idle: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence, whether it holds, and the numbers behind it."""

    sentence: str
    holds: bool
    numbers: str


def count_outcomes(reports: Sequence[Mapping[str, Any]]) -> dict[str, Counter[str]]:
    """Queue -> outcomes, added up over the reports of all ticks."""
    outcomes: dict[str, Counter[str]] = {}
    for report in reports:
        for name, entry in report["queues"].items():
            counts = {kind: n for kind, n in entry.items() if kind not in NOT_OUTCOMES}
            outcomes.setdefault(name, Counter()).update(counts)
    return outcomes


def check(workload: Workload, evidence: Evidence) -> Iterator[Claim]:
    """All claims, also those that do not hold."""
    client, server, idle = evidence.client, evidence.server, evidence.idle
    yield Claim("client and server agree on the bill", client == server, f"{client}; {server}")
    yield Claim("a tick without work costs one command", idle == 1, f"{idle}")
    yield from _rows(workload, evidence.recorded)
    yield from _emails(workload, evidence)
    dead = evidence.outcomes["import"]["dead"]
    yield Claim("one job was a dead letter", dead == 1, f"{dead}")
    counts, totals = evidence.stats["counts"], evidence.stats["totals"]
    left = {state: n for state in UNFINISHED if (n := counts[state])}
    yield Claim("no job is left and no dead letter remains", not left, f"{left or 'none'}")
    lost = {name: n for name in ("lost", "crashed", "cancelled") if (n := totals[name])}
    yield Claim("no job was lost", not lost, f"{lost or 'none'}")
    done = sum(outcomes["done"] for outcomes in evidence.outcomes.values())
    sentence = "the ticks reported as many done jobs as the store counted"
    yield Claim(sentence, done == totals["done"], f"{done:,}; {totals['done']:,}")


def _rows(workload: Workload, recorded: Mapping[str, int]) -> Iterator[Claim]:
    for account, job in workload.imports.items():
        result = job["result"] or {"accepted": -1, "rows": -1}
        rows, lines = recorded.get(account, 0), workload.lines[account]
        sentence = f"account {account}: every accepted row is in the journal"
        yield Claim(sentence, rows == result["accepted"], f"{rows:,} of {result['accepted']:,}")
        sentence = f"account {account}: every line of the file was accepted or rejected"
        yield Claim(sentence, result["rows"] == lines, f"{result['rows']:,} of {lines:,}")


def _emails(workload: Workload, evidence: Evidence) -> Iterator[Claim]:
    sent, emails = len(evidence.sent), len(workload.emails)
    yield Claim("each email is in the mail folder once", sent == emails, f"{sent} of {emails}")
    excess = _excess(evidence.sent)
    numbers = f"the fullest window has {abs(excess):.1f} emails {'more' if excess > 0 else 'less'}"
    yield Claim("no window has more emails than the limit allows", excess <= 1, numbers)
    retried = evidence.outcomes["email"]["retried"]
    sentence = "each early email failed, was retried and sent"
    yield Claim(sentence, retried >= len(workload.early), f"{retried} retries")


def _excess(sent: Sequence[float]) -> float:
    """E-mails of the fullest window above burst + rate x window (negative: below)."""
    return max(
        (
            last - first + 1 - BURST - RATE * (sent[last] - sent[first] + LAG)
            for first in range(len(sent))
            for last in range(first, len(sent))
        ),
        default=0.0,
    )
