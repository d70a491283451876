"""Stories of many steps: run them, and when one fails, find the short one inside it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .audit import ViolationError
from .server import Server
from .simulation import Simulation
from .world import AuditedStore

STORY_STEPS = 5_000
"""A new world this often: its shape (limits, concurrency, retention) changes with the seed."""
MOST_REPLAYS = 160


@dataclass(slots=True)
class Tally:
    """What was simulated."""

    steps: int = 0
    seconds: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    fates: Counter[str] = field(default_factory=Counter)
    harms: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Count what another process has simulated; its seconds passed at the same time."""
        self.steps += other.steps
        self.calls += other.calls
        self.fates += other.fates
        self.harms += other.harms
        self.seen += other.seen

    @property
    def faulted(self) -> float:
        """Share of the requests that were not simply delivered."""
        total = sum(self.fates.values())
        return 1 - self.fates["delivered"] / total if total else 0.0

    def line(self) -> str:
        rate = self.steps / self.seconds if self.seconds else 0.0
        return (
            f"{self.steps:,} steps in {self.seconds:,.0f} s ({rate:,.0f}/s), "
            f"{sum(self.calls.values()):,} script calls, {sum(self.fates.values()):,} requests, "
            f"{self.faulted:.1%} of them faulted; harms {dict(self.harms.most_common())}; "
            f"{dict(self.seen.most_common())}"
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """A broken invariant and the steps that are needed to break it."""

    seed: int
    steps: Sequence[int]
    reason: str
    lines: Sequence[str]

    @property
    def kind(self) -> str:
        """Which invariant: a shorter story must not be another one."""
        return self.reason[:6]

    def text(self) -> str:
        told = "\n".join(self.lines[-80:])
        return f"seed {self.seed}, shrunk to {len(self.steps)} steps:\n{told}\n{self.reason}"


def simulate(
    server: Server,
    seed: int,
    steps: int,
    *,
    bodies: Mapping[str, str] | None = None,
    tally: Tally | None = None,
    shrinking: bool = True,
) -> Failure | None:
    """`steps` from `seed` on, a story for every STORY_STEPS (its seed is the next one)."""
    tally = tally or Tally()
    done = 0
    while done < steps:
        some = range(min(STORY_STEPS, steps - done))
        failure = _tell(server, seed, some, bodies, tally)
        if failure:
            return shrink(server, failure, bodies) if shrinking else failure
        done += len(some)
        seed += 1
    return None


def _tell(
    server: Server,
    seed: int,
    steps: Sequence[int],
    bodies: Mapping[str, str] | None,
    tally: Tally | None = None,
    told: Callable[[str], None] | None = None,
) -> Failure | None:
    began = time.monotonic()
    world = AuditedStore(server, seed, bodies)
    story = Simulation(seed, world, told=told)
    failure = None
    try:
        story.run(steps)
    except ViolationError as error:
        upto = [step for step in steps if step <= story.step]
        failure = Failure(seed, upto, str(error), [])
    if tally is not None:
        tally.steps += story.step + 1
        tally.seconds += time.monotonic() - began
        tally.calls += world.calls
        tally.fates += story.fates
        tally.harms += story.harms
        tally.seen += world.seen
    return failure


def shrink(server: Server, failure: Failure, bodies: Mapping[str, str] | None = None) -> Failure:
    """Leave steps out, in ever smaller pieces, for as long as it still fails."""
    steps, replays = list(failure.steps), 0
    size = len(steps) // 2
    while size and replays < MOST_REPLAYS:
        at = 0
        while at < len(steps) and replays < MOST_REPLAYS:
            fewer = steps[:at] + steps[at + size :]
            replays += 1
            found = _tell(server, failure.seed, fewer, bodies) if fewer else None
            if found and found.kind == failure.kind:
                steps = list(found.steps)
            else:
                at += size
        size //= 2
    lines: list[str] = []
    last = _tell(server, failure.seed, steps, bodies, told=lines.append)
    return Failure(failure.seed, steps, last.reason if last else failure.reason, lines)
