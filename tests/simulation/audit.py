"""The auditor: after every call the census must be what the book says, and whatever both say must
keep the invariants of the failure model (I1 … I10)."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat

from shared.store.queue_stats import TOTALS
from shared.store.turn import Settle

from .book import LINES, NEVER, SETS, Book
from .census import Census

WAITING = ("suspects", "high", "normal", "low")
SLACK_MS = 1_000.5
"""A turn that claimed pays for a command on the agenda only where that was this much too late. Half
a millisecond says that an entry is held."""
REMEMBERED = 64
ROUNDING_MS = 1
STARVED = 16
"""Claims that a waiting low job may be passed over by: served one turn in eight, and behind others
of its priority only."""


class ViolationError(AssertionError):
    """An invariant is broken; the text says which."""


def require(holds: bool, invariant: str, *told: object) -> None:
    if not holds:
        raise ViolationError(f"{invariant}: " + " ".join(str(part) for part in told))


@dataclass(slots=True)
class Auditor:
    """What must hold of one queue over time, beyond what its book says."""

    starts: list[tuple[int, str]] = field(default_factory=list)
    """When each claimed job may start (ms), and `owner seq` of its claim."""
    fences: dict[str, int] = field(default_factory=dict)
    passed_over: int = 0
    key_starts: dict[str, list[int]] = field(default_factory=dict)
    """When jobs of each key took their tokens (ms)."""

    def check(self, book: Book, census: Census, wall: int) -> None:
        """Everything that one census can tell."""
        conservation(census)
        exclusive(census)
        as_booked(book, census)
        numbers(book, census)
        agenda(book, census, wall)
        limit = book.queue.concurrency
        require(limit is None or len(census.sets["active"]) <= limit, "I9 concurrency", census.sets)
        backlogs(book, census)

    def took_tokens(self, book: Book, keys: list[str], now: int) -> None:
        """Jobs of these keys took a token each: a key never gets more than its burst and its rate
        allow, in whatever window."""
        rate = book.keys.rate
        for key in keys:
            assert rate is not None
            instants = sorted([*self.key_starts.get(key, []), now])[-REMEMBERED:]
            self.key_starts[key] = instants
            for i, since in enumerate(instants):
                allowed = (
                    rate.burst + rate.rate * (instants[-1] - since + ROUNDING_MS) / rate.per_ms
                )
                require(
                    len(instants) - i <= allowed, "I9 rate of a key", key, instants[i:], allowed
                )

    def started(self, book: Book, leases: list[str], starts: list[int]) -> None:
        """Jobs were claimed: fences rise, and the rate of the starts is kept in every window."""
        for lease in leases:
            job, fence = lease.split(" ")[:2]
            require(int(fence) > self.fences.get(job, 0), "I3 a fence was given twice", lease)
            self.fences[job] = int(fence)
        limit = book.queue.limit
        if limit is None or not leases:
            return
        new = [(at, _claim_of(lease)) for at, lease in zip(starts, leases, strict=True)]
        self.starts = sorted([*self.starts, *new])[-REMEMBERED:]
        instants = [at for at, _claim in self.starts]
        first_new = bisect_left(instants, min(starts))
        for i, since in enumerate(instants):
            for j in range(max(i, first_new), len(instants)):
                count, ms = j - i + 1, instants[j] - since + ROUNDING_MS
                if count > limit.burst + limit.rate * ms / limit.per_ms:
                    require(False, "I9 rate", count, "from", since, "to", instants[j])

    def not_started(self, settles: list[Settle]) -> None:
        """Claims whose handler was never called give their tokens back: they are no starts. A
        token's time is told rounded down, the start is at the next millisecond."""
        for settle in settles:
            at, claim = settle.unstarted_ms, _claim_of(settle.lease)
            for start in ((at, claim), (at + 1, claim)):
                if start in self.starts:
                    self.starts.remove(start)
                    break

    def claimed_from(self, book: Book, claims: int, *, passed: bool) -> None:
        """The first low job is passed over by at most STARVED claiming turns (I16)."""
        self.passed_over = self.passed_over + (claims > 0) if passed else 0
        most = STARVED * (2 if book.queue.per_key else 1)  # half of the claims are from backlogs
        require(self.passed_over <= most, "I16 a low job starves", book.lines["low"])

    def forget(self) -> None:
        """A new epoch of the store: what it lost it can't know."""
        self.starts.clear()
        self.fences.clear()
        self.key_starts.clear()
        self.passed_over = 0


def _claim_of(lease: str) -> str:
    """`owner seq`: the turn that claimed it."""
    return " ".join(lease.split(" ")[2:4])


def conservation(census: Census) -> None:
    """I1: every record is in exactly one place, and in one that suits its state."""
    homes: dict[str, str] = {}
    total = 0
    for name in WAITING:
        total += len(census.lists[name])
        homes.update(dict.fromkeys(census.lists[name], "w"))
    for name, letter in (("delayed", "w"), ("parked", "p"), ("completed", "c"),
                         ("cancelled", "k"), ("dead", "x")):  # fmt: skip
        total += len(census.sets[name])
        homes.update(dict.fromkeys(census.sets[name], letter))
    total += len(census.backlogs)
    homes.update(dict.fromkeys(census.backlogs.values(), "w"))
    active = [lease.split(" ", 1)[0] for lease in census.sets["active"]]
    total += len(active)
    homes.update(dict.fromkeys(active, "w"))
    require(total == len(homes), "I1 a job is in two places", census.lists, census.sets)
    for job, raw in census.records.items():
        home = homes.get(job)
        if home is None or raw[:1] != home:
            require(home is not None, "I1 a job is nowhere", job, raw)
            require(raw[:1] == "!", "I1 state and place", job, raw, home)


def exclusive(census: Census) -> None:
    """I3, I4: one lease a job, for the fence that follows the last closed one."""
    for lease in census.sets["active"]:
        job, fence, *_rest = lease.split(" ")
        raw = census.records.get(job, "!")
        if raw[0] != "!":
            require(int(fence) == int(raw.split(" ", 2)[1]) + 1, "I4 fence of a lease", lease, raw)


def as_booked(book: Book, census: Census) -> None:
    """The keys hold what the plain words say."""
    if census.records != book.raws:
        ours, theirs = set(book.raws.items()), set(census.records.items())
        require(False, "book: records", "booked", ours - theirs, "stored", theirs - ours)
    _same(census.lists, book.lines, LINES)
    _same(census.sets, book.sets, SETS)
    if book.guards or census.dedup:
        _guards(book, census)


def _same(stored: Mapping[str, object], booked: Mapping[str, object], names: Sequence[str]) -> None:
    if stored != booked:
        for name in names:
            require(stored[name] == booked[name], "book:", name, booked[name], "stored",
                    stored[name])  # fmt: skip


def backlogs(book: Book, census: Census) -> None:
    """Who waits for a key stands where its record says, in the order of the book; a turn comes for
    a key in time; and each key that is remembered is on a timer, which forgets it."""
    ids = book.keys.ids()
    require(sorted(census.backlogs.values()) == sorted(ids), "book: backlogs", census.backlogs, ids)
    require(census.number("backlog") == len(ids), "numbers: backlog", census.number("backlog"))
    entry_of = {job: entry for entry, job in census.backlogs.items()}
    for key, waiting in book.keys.backlogs.items():
        live = [job for job in waiting if job in book.entries]
        said = [f"{key} {book.entries[job].reason.rpartition(':')[2]}" for job in live]
        require(said == [entry_of[job] for job in live], "book: places in a backlog", key, said)
        positions = [int(entry.split(" ")[1]) for entry in said]
        require(positions == sorted({*positions}), "I17 out of order", key, positions)
        instant = book.key_instant(key, book.mark) if live else NEVER
        timer = census.key_timers.get(key, NEVER)
        require(timer <= max(instant, book.mark), "numbers: a key is looked at late", key, timer)
    first = min(census.key_timers.values(), default=NEVER)
    require(census.number("key_due", NEVER) <= first, "numbers: hint too late", "key_due", first)
    states = census.key_states.keys()
    require(states == census.key_timers.keys(), "numbers: keys that none forgets", states)
    states_bytes = sum(len(":key:" + key) + len(text) for key, text in census.key_states.items())
    require(census.number("key_bytes") == states_bytes, "numbers: bytes of keys", states_bytes)
    limit = book.queue.per_key.concurrency if book.queue.per_key else None
    if limit is not None:
        leases = [lease.split(" ") for lease in census.sets["active"]]
        running = Counter(words[4] for words in leases if len(words) > 5)
        require(all(n <= limit for n in running.values()), "I9 concurrency of a key", running)


def _guards(book: Book, census: Census) -> None:
    """Names as booked; the store may have forgotten some that have expired."""
    booked = {name: " ".join(map(str, guard)) for name, guard in book.guards.items()}
    for name, text in census.dedup.items():
        if name not in booked and text[:2] == "0 " and text.split(" ")[2] not in book.raws:
            continue  # its job was lost: the next one of that name takes it over
        require(booked.get(name) == text, "book: guard", name, booked.get(name), "stored", text)
    for name in booked.keys() - census.dedup.keys():
        expires = book.guards[name][0]
        require(0 < expires <= book.horizon, "book: guard lost", booked[name])
        del book.guards[name]


def numbers(book: Book, census: Census) -> None:
    """The queue's own numbers: sizes and flags are true, hints are never too late."""
    number = census.number
    require(number("active") == len(book.sets["active"]), "numbers: active", number("active"))
    require(
        number("completed") == len(book.sets["completed"]),
        "numbers: completed",
        number("completed"),
    )
    usage = book.usage()
    require((number("jobs"), number("bytes")) == usage, "numbers: usage",
            number("jobs"), number("bytes"), usage)  # fmt: skip
    if len(census.shards) > 1:
        shards(book, census)
    require(number("suspects") == len(book.lines["suspects"]), "numbers: suspects")
    kept = sum(map(book.sizes.get, book.sets["completed"], repeat(0)))
    require(number("completed_bytes") == kept, "numbers: completed bytes", kept)
    require(
        bool(number("cancelled")) or not book.sets["cancelled"],
        "numbers: cancelled are never trimmed",
    )
    require(
        bool(number("names")) or not census.dedup, "numbers: names are never trimmed", census.dedup
    )
    require(number("paused") == book.paused, "numbers: paused")
    require(number("clock") == book.mark, "numbers: clock", number("clock"), book.mark)
    require(number("turns") == book.turns, "numbers: turns", number("turns"), book.turns)
    require(number("mixed") == book.mixed, "numbers: mixed")
    require(number("waits", 1) == 1 or not book.in_line(), "numbers: waits", book.lines)
    require(number("trim_at") == book.trimmed, "numbers: trimmed")
    require((number("level"), number("at")) == (book.level, book.level_at), "numbers: bucket",
            number("level"), number("at"), book.level, book.level_at)  # fmt: skip
    for hint, name in (("due", "delayed"), ("expiry", "active"), ("recheck", "parked")):
        first = min(book.sets[name].values(), default=NEVER)
        require(number(hint, NEVER) <= first, "numbers: hint too late", hint, number(hint), first)
    require(set(census.scalars.get(":cancel", "").split()) == book.cancel, "numbers: cancel",
            book.cancel)  # fmt: skip
    owners = {entry.split(" ", 1)[0] for entry in census.scalars.get(":replay", "").split(";")}
    require(owners - {""} == book.memos.keys(), "I15 memos", owners, set(book.memos))
    totals = [int(n) for n in census.scalars.get(":totals", "").split()] or [0] * len(TOTALS)
    booked = [book.totals[name] for name in TOTALS]
    require(totals == booked, "numbers: totals", totals, booked)


def shards(book: Book, census: Census) -> None:
    """A record is in one shard only, and what each shard holds is counted."""
    total = sum(len(shard) for shard in census.shards)
    require(total == len(census.records), "a record in two shards", census.shards)
    counts = [int(n) for n in census.scalars.get(":shards", "").split()]
    if book.evicted == (0, 0) and counts:
        contents = [
            n
            for shard in census.shards[1:]
            for n in (len(shard), sum(map(book.sizes.__getitem__, shard)))
        ]
        require(counts == contents, "numbers: shards", counts, contents)


def agenda(book: Book, census: Census, wall: int) -> None:
    """An entry is never later than the first instant at which a turn could do something."""
    instant = book.next_work(wall)
    if instant == NEVER:
        return
    latest = max(instant, book.now(wall)) + SLACK_MS
    in_time = census.agenda is not None and census.agenda <= latest
    require(in_time, "agenda too late", census.agenda, "work at", instant, "now", book.now(wall))
