"""The book of one queue: what its keys must hold, in the plain words of Python. Written from the
docs, not from the scripts; every step is carried out in both and compared."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from shared import Queue

from .keys import Keys

HOUR = 3_600_000
NEVER = 9_007_199_254_740_991
BANDS = {"h": "high", "n": "normal", "l": "low"}
SETS = ("delayed", "active", "parked", "completed", "cancelled", "dead")
LINES = ("suspects", "high", "normal", "low", "inbox", "intake")
DECIDED, ON_DEAD = "d", "o"
"""Flags of a record: how the job ends is decided; its death has follow-ups."""


@dataclass(slots=True)
class Entry:
    """A job's record."""

    state: str
    fence: int
    attempts: int
    crashes: int
    priority: str
    redrives: int
    key: str
    dedup: str
    flags: str
    reason: str
    body: str
    history: str
    since: str = ""
    """When it began to wait or is due, behind a space; empty where its id tells."""

    @property
    def decided(self) -> bool:
        return DECIDED in self.flags

    @property
    def limiting_key(self) -> str:
        """The key whose limits it has to keep; "-" where it only has to end."""
        return "-" if self.decided or self.reason == "crashed" else self.key

    @property
    def suspected(self) -> bool:
        """A function died at its last run."""
        return self.reason.startswith("suspect")

    def raw(self) -> str:
        length = len(self.body.encode("utf-8", "surrogateescape"))
        return (
            f"{self.state} {self.fence} {self.attempts} {self.crashes} {self.priority} {length} "
            f"{self.redrives} {self.key} {self.dedup} {self.flags} {self.reason}{self.since}\n"
            f"{self.body}{self.history}"
        )


def fresh(priority: str, key: str, dedup: str, flags: str, body: str, since: str) -> Entry:
    return Entry("w", 0, 0, 0, priority, 0, key, dedup, flags, "-", body, "", since)


@dataclass(slots=True)
class Memo:
    """An owner's last turn: what it must be answered should it come again."""

    seq: int
    expiry: int
    verdicts: str
    claimed: list[str]
    level: int
    at: int


@dataclass(slots=True)
class Book:
    """One queue's content and numbers. `ended` tells of every job that is gone how it ended."""

    queue: Queue
    entries: dict[str, Entry] = field(default_factory=dict)
    raws: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    """What each job counts for in the queue's usage."""
    lines: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in LINES})
    sets: dict[str, dict[str, float]] = field(default_factory=lambda: {name: {} for name in SETS})
    guards: dict[str, tuple[int, str, str, str]] = field(default_factory=dict)
    cancel: set[str] = field(default_factory=set)
    totals: Counter[str] = field(default_factory=Counter)
    memos: dict[str, Memo] = field(default_factory=dict)
    mark: int = 0
    purged: tuple[str, int] = "", 0
    paused: bool = False
    nudged: tuple[int, str] = (-NEVER, "")
    """The last call of a drain: its instant, and the first job of the enqueue that made it."""
    mixed: bool = False
    foreign: bool = False
    turns: int = 0
    trimmed: int = 0
    level: int = 0
    level_at: int = 0
    per: int = 0
    unspent: list[int] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)
    exclusive: Counter[str] = field(default_factory=Counter)
    horizon: int = 0
    inbox: bool = False
    stood: dict[str, str] = field(default_factory=dict)
    """The list from which each job was last claimed."""
    evicted: tuple[int, int] = (0, 0)
    """Records that the store evicted, and their bytes: the queue's usage still counts them."""
    returned: list[tuple[str, str]] = field(default_factory=list)
    keys: Keys = field(init=False)
    settles_deaths: bool = False
    """A turn has settled deaths by crashes, so from then on all do."""
    intake: tuple[int, int] = (0, 0)
    """Records that were ever taken from the inbox before the turn at hand, and the instant at which
    the inbox was last renamed."""
    intake_shard: int = 0
    """Where the turn at hand stores them: the scripts choose it."""

    def __post_init__(self) -> None:
        self.keys = Keys(self.queue)

    def copy(self) -> Book:
        """As it stands, for a store that will lose its last writes."""
        twin = copy.copy(self)
        twin.entries = {name: replace(entry) for name, entry in self.entries.items()}
        twin.lines = {name: list(line) for name, line in self.lines.items()}
        twin.sets = {name: dict(members) for name, members in self.sets.items()}
        twin.keys = self.keys.copy()
        twin.memos = {name: replace(memo) for name, memo in self.memos.items()}
        for name in ("raws", "sizes", "guards", "cancel", "totals", "ended", "exclusive", "stood"):
            setattr(twin, name, copy.copy(getattr(self, name)))
        return twin

    def usage(self) -> tuple[int, int]:
        """Jobs and bytes as the queue counts them."""
        jobs, size = self.evicted
        return jobs + len(self.raws), size + sum(self.sizes.values())

    def average_bytes(self) -> float:
        jobs, size = self.usage()
        return max(1.0, size / jobs) if jobs else 1.0

    def now(self, wall: int) -> int:
        """The store's time, never behind the newest time seen unless that was the fault itself."""
        return self.mark if 0 < self.mark - wall < HOUR else wall

    def save(self, job: str, entry: Entry) -> None:
        """A job counts for its id and its record."""
        self.entries[job] = entry
        self.raws[job] = raw = entry.raw()
        self.sizes[job] = len(job) + len(raw.encode("utf-8", "surrogateescape"))

    def forget(self, jobs: Iterable[str], how: str) -> None:
        for job in jobs:
            self.entries.pop(job, None)
            self.raws.pop(job, None)
            self.sizes.pop(job, None)
            if how or job not in self.ended:
                self.ended[job] = how

    def evict(self, job: str) -> None:
        """The record is gone, and no script was told."""
        if job in self.raws:
            jobs, size = self.evicted
            self.evicted = jobs + 1, size + self.sizes[job]
        self.forget([job], "evicted")

    def end(self, job: str, entry: Entry, state: str, home: str, now: int) -> None:
        """The job has ended: its place, and the end of a deduplication that held until then."""
        entry.state, entry.since = state, ""
        if entry.dedup != "-":
            self.guards.pop(entry.dedup, None)
            entry.dedup = entry.dedup if state == "x" else "-"  # a redrive takes it again
        self.sets[home][job] = now
        self.ended[job] = home

    def state(self, job: str) -> str:
        """What a duplicate of this job is told."""
        if job not in self.raws:
            return "g"
        entry = self.entries.get(job)
        if entry is None:
            return "x"
        if job in self.sets["delayed"] or self.keys.waits_for(job):
            return "d"
        leases = [lease.split(" ") for lease in self.sets["active"]]
        active = any(lease[0] == job and int(lease[1]) == entry.fence + 1 for lease in leases)
        return "a" if entry.state == "w" and active else entry.state

    def line_up(self, job: str, entry: Entry) -> None:
        self.lines[BANDS[entry.priority]].append(job)
        self.mixed = self.mixed or entry.priority != "n"

    def put_back(self) -> None:
        """What was given back stands first in line, in the order it was claimed in."""
        for line, job in reversed(self.returned):
            self.lines[line].insert(0, job)
        self.returned.clear()

    def first_due(self) -> int:
        """When the first delayed or parked job wants to be looked at."""
        timers = [*self.sets["delayed"].values(), *self.sets["parked"].values()]
        return int(min(timers, default=NEVER))

    def first_expiry(self) -> int:
        return int(min(self.sets["active"].values(), default=NEVER))

    def in_line(self) -> int:
        """Jobs in the lists by priority."""
        lines = self.lines
        return len(lines["high"]) + len(lines["normal"]) + len(lines["low"])

    def waiting(self) -> int:
        """Jobs that wait for no instant: in line, suspects, and those that wait for their keys."""
        return self.in_line() + len(self.lines["suspects"]) + self.keys.count()

    def running(self, key: str) -> int:
        """Open leases of jobs of a key."""
        return sum(
            lease.split(" ")[4] == key for lease in self.sets["active"] if lease.count(" ") > 4
        )

    def key_room(self, key: str, now: int) -> int:
        """How many jobs of a key its limits let start."""
        room, limits = NEVER, self.queue.per_key
        if key == "-" or limits is None:
            return room
        if limits.concurrency is not None:
            room = max(0, limits.concurrency - self.running(key))
        return min(room, self.keys.tokens(key, now)) if self.keys.rate_of_starts else room

    def key_instant(self, key: str, now: int) -> int:
        """When a job of a key may start; NEVER where only the end of another one lets it."""
        if self.key_room(key, now) > 0:
            return now
        limits = self.queue.per_key
        if limits and limits.concurrency is not None and self.running(key) >= limits.concurrency:
            return NEVER
        return now + self.keys.ms_to_token(key, now)

    def first_of_keys(self, now: int) -> int:
        """When the first job that waits for its key may start."""
        held = [
            key for key, ids in self.keys.backlogs.items() if any(self.live(job) for job in ids)
        ]
        return min((self.key_instant(key, now) for key in held), default=NEVER)

    def live(self, job: str) -> Entry | None:
        """The entry of a job that can be claimed, if its record is there."""
        entry = self.entries.get(job)
        return entry if entry and entry.state == "w" else None

    def tokens(self, now: int, ahead: int = 0) -> int:
        """Whole tokens within `ahead` ms of `now`; many where nothing limits."""
        limit = self.queue.limit
        if limit is None:
            return NEVER
        return max(0, (self.filled(now) + ahead * limit.rate) // limit.per_ms)

    def filled(self, now: int) -> int:
        """The bucket's level at `now`."""
        limit = self.queue.limit
        if limit is None:
            return 0
        full = limit.burst * limit.per_ms
        if self.per == 0:
            return full
        return min(full, self.level + max(0, now - self.level_at) * limit.rate)

    def ms_ahead(self, now: int, count: int) -> int:
        """Milliseconds until the last token that was taken ahead, with `count` more."""
        limit = self.queue.limit
        if limit is None or self.per == 0:
            return 0
        level = self.level + max(0, now - self.level_at) * limit.rate - count * limit.per_ms
        return max(0, -(level // limit.rate))

    def token_wait(self, now: int) -> int:
        """Milliseconds until there is a whole token, at least one."""
        limit = self.queue.limit
        if limit is None:
            return 1
        return max(1, -((self.filled(now) - limit.per_ms) // limit.rate))

    def room(self) -> int:
        """How many more may run at once."""
        concurrency = self.queue.concurrency
        return NEVER if concurrency is None else max(0, concurrency - len(self.sets["active"]))

    def next_work(self, wall: int) -> int:
        """The first instant at which a turn could do something, were every function dead."""
        now = self.now(wall)
        recovery = self.first_expiry()
        if self.paused or self.room() == 0:
            return recovery
        token = now if self.tokens(now) else now + self.token_wait(now)
        start = self.first_of_keys(now)
        if self.in_line():
            start = now
        for job in self.lines["suspects"][:1]:
            entry = self.live(job)
            start = min(start, self.key_instant(entry.limiting_key, now) if entry else now)
        start = NEVER if start == NEVER else max(start, token)
        return min(recovery, self.first_due(), start)
