"""Does what the demo says hold? Counts come from files and from the server, not from the jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .acts import Played

BURST, RATE = 100, 100 / 60
"""The letters' limit: 100 per 60 s."""
LAG = 3.0
"""Seconds that may lie between a letter's start, which is what the limit counts, and its file."""
LEFT = ("waiting", "delayed", "active", "parked", "dead")


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence and whether it is true; `found` are the numbers behind it."""

    said: str
    holds: bool
    found: str


@dataclass(frozen=True, slots=True)
class Bill:
    """Requests and billed commands, as one side counted them."""

    requests: int
    commands: int

    def __str__(self) -> str:
        return f"{self.requests:,} requests, {self.commands:,} billed commands"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found when all was over."""

    recorded: Mapping[str, int]
    """Account -> rows in the journal."""
    sent: Sequence[float]
    """When each letter reached the outbox, in order."""
    outcomes: Mapping[str, Counter[str]]
    """Queue -> outcomes, as the ticks reported them."""
    stats: Mapping[str, Any]
    ours: Bill
    servers: Bill
    idle: int
    """Billed commands of a tick that found nothing."""


def claims(played: Played, found: Evidence) -> Iterator[Claim]:
    """All of them, the ones that fail too."""
    ours, servers = found.ours, found.servers
    yield Claim("client and server agree on the bill", ours == servers, f"{ours}; {servers}")
    said = "a tick that finds nothing costs one command"
    yield Claim(said, found.idle == 1, f"{found.idle}")
    yield from _rows(played, found.recorded)
    yield from _letters(played, found)
    dead = found.outcomes["import"]["dead"]
    yield Claim("one job was a dead letter", dead == 1, f"{dead}")
    counts, totals = found.stats["counts"], found.stats["totals"]
    left = {state: n for state in LEFT if (n := counts[state])}
    yield Claim("nothing is left and no dead letter remains", not left, f"{left or 'nothing'}")
    lost = {name: n for name in ("lost", "crashed", "cancelled") if (n := totals[name])}
    yield Claim("no job was lost", not lost, f"{lost or 'none'}")
    done = sum(outcomes["done"] for outcomes in found.outcomes.values())
    said = "the ticks reported as many done jobs as the store counted"
    yield Claim(said, done == totals["done"], f"{done:,}; {totals['done']:,}")


def _rows(played: Played, recorded: Mapping[str, int]) -> Iterator[Claim]:
    for account, job in played.imported.items():
        result = job["result"] or {"accepted": -1, "rows": -1}
        rows, lines = recorded.get(account, 0), played.lines[account]
        said = f"account {account}: every accepted row is in the journal"
        yield Claim(said, rows == result["accepted"], f"{rows:,} of {result['accepted']:,}")
        said = f"account {account}: every line of the file was accepted or rejected"
        yield Claim(said, result["rows"] == lines, f"{result['rows']:,} of {lines:,}")


def _letters(played: Played, found: Evidence) -> Iterator[Claim]:
    sent, letters = len(found.sent), len(played.letters)
    yield Claim("each letter is in the outbox once", sent == letters, f"{sent} of {letters}")
    most = _most_over_limit(found.sent)
    told = f"the fullest window has {abs(most):.1f} letters {'more' if most > 0 else 'less'}"
    yield Claim("no window has more letters than the limit allows", most <= 1, told)
    retried = found.outcomes["email"]["retry"]
    said = "each early letter failed, was tried again and sent"
    yield Claim(said, retried >= len(played.early), f"{retried} retries")


def _most_over_limit(sent: Sequence[float]) -> float:
    """By how many letters the fullest window exceeds burst + rate·window (below 0: by none)."""
    return max(
        (
            last - first + 1 - BURST - RATE * (sent[last] - sent[first] + LAG)
            for first in range(len(sent))
            for last in range(first, len(sent))
        ),
        default=0.0,
    )
