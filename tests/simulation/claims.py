"""Which jobs a turn must lease, and why not more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.store.turn import TurnRequest

from .audit import require
from .book import NEVER, Book, Entry

LOOKED_AT = 500
"""Ids of the line that a turn looks at where keys may have no room."""
LOOKED_AT_ONCE = 100
"""Suspects that it looks at there."""


@dataclass(slots=True)
class ExpectedReply:
    """What the turn must be told; None stands for an answer that this turn was overtaken."""

    reason: str
    wait: int
    verdicts: str
    claims: list[object]
    claimed: int = 0
    replayed: bool = False
    level: int = 0
    ahead: int | None = None
    at: int = 0
    from_backlogs: int = 0
    blocked: bool = False
    """A suspect waits for its key. A turn may come before, for another key."""


@dataclass(slots=True)
class Batch:
    """The jobs of one claim, `most` at most. `put_off`: bytes of those that
    wait for their keys; `found`: ids of their list; `looked`: how many of them leave it."""

    most: int
    most_bytes: int
    exclusive: bool = False
    jobs: list[str] = field(default_factory=list)
    size: int = 0
    put_off: int = 0
    found: int = 0
    looked: int = 0
    leases: list[str] = field(default_factory=list)

    def fits(self, length: int) -> bool:
        """Is there room for one more record? The first one always fits."""
        return not self.jobs or (
            len(self.jobs) < self.most and self.size + length <= self.most_bytes
        )


@dataclass(slots=True)
class Claimant:
    """One turn's claim from a book. `started`: the ids that the scripts claimed, which tell whose
    backlogs they took first; all else is decided here."""

    book: Book
    now: int
    ask: TurnRequest
    started: Sequence[str]
    told: ExpectedReply = field(init=False)

    def claim(self, most: int, most_bytes: int) -> ExpectedReply:
        """At most `most` jobs, whose records are expected to fill the reply."""
        book, now, ask = self.book, self.now, self.ask
        told, starts = starting(book, now, ask)
        self.told = told
        told.level, told.at = book.level, now
        if starts <= 0:
            return told
        most = min(starts, most)
        batch, blocked = None, NEVER
        if _takes_suspects(book, ask):
            batch, blocked = self._suspects(Batch(most, most_bytes, exclusive=True))
        asked = max(most, LOOKED_AT) if book.queue.per_key else most
        batch = batch or self._line(Batch(most, most_bytes), asked)
        told.claimed, told.claims = len(batch.jobs), answers(book, batch.leases)
        book.totals["claimed"] += told.claimed
        if book.queue.limit:
            book.level -= told.claimed * book.queue.limit.per_ms
        self._explain(batch, asked, starts, blocked)
        return told

    def _explain(self, batch: Batch, asked: int, starts: int, blocked: int) -> None:
        """Why it got fewer than wanted. `blocked`: ms until the first suspect's key has room."""
        book, told, count = self.book, self.told, len(batch.jobs)
        left = batch.looked < batch.found
        if (left and count < batch.most) or (count == 0 and batch.found >= asked):
            told.reason, told.wait = "more", 0
        elif batch.exclusive:
            told.reason = "suspect"
        elif batch.found + count == 0 and blocked < NEVER:
            told.reason, told.wait, told.blocked = "limited", blocked, True
        elif batch.found == 0 and book.lines["suspects"]:
            told.reason, told.wait = "suspect", 0
        elif batch.found < asked and not left:
            told.reason, told.wait = "empty", 0
        elif batch.most < starts:
            told.reason, told.wait = "more", 0
        elif told.reason == "limited":
            told.wait = book.token_wait(self.now)

    def _suspects(self, batch: Batch) -> tuple[Batch | None, int]:
        """The first suspect whose key has room, or those that may run isolated: until one that has
        crashed in spite of that. None where they all wait for their keys; then ms until one has
        room."""
        book, suspects = self.book, self.book.lines["suspects"]
        batch.most = batch.most if self.ask.isolated else 1
        blocked, leaving, stopped = NEVER, list[str](), False
        for job in suspects[: self._most_suspects(batch)]:
            entry = book.live(job)
            if entry is None:
                book.totals["lost"] += 1
            elif book.key_room(entry.limiting_key, self.now) <= 0:
                blocked = min(blocked, self._look(entry.limiting_key))
                continue
            elif not batch.fits(_length(book, job)) or (self.ask.isolated and entry.crashes):
                stopped = True
                break
            else:
                self._start(batch, job, entry)
            leaving.append(job)
        if not leaving and blocked < NEVER and not stopped:
            return None, blocked
        suspects[:] = [job for job in suspects if job not in leaving]
        batch.looked, batch.found = len(leaving), len(leaving) + stopped
        return batch, blocked

    def _most_suspects(self, batch: Batch) -> int:
        """How many the scripts look at: no more bytes than a reply holds."""
        if not self.book.queue.per_key:
            return batch.most
        most = int(batch.most_bytes // self.book.average_bytes())
        return max(batch.most, min(LOOKED_AT_ONCE, most), 1)

    def _look(self, key: str) -> int:
        """ms until a turn looks at a key without room again: at its token, or after a lease."""
        instant = self.book.key_instant(key, self.now)
        ahead = self.book.ms_ahead(self.now, 0)
        return self.ask.lease_ms + ahead if instant == NEVER else instant - self.now

    def _line(self, batch: Batch, asked: int) -> Batch:
        """Those of keys that have room again, then those in line."""
        book = self.book
        ids = _pop(book, asked)
        batch.found = len(ids)
        self.told.ahead = book.ms_ahead(self.now, min(batch.most, len(ids) + book.keys.count()))
        self._backlogs(batch, others=bool(ids))
        for job in ids:
            entry = book.live(job)
            if len(batch.jobs) >= batch.most or (entry and not batch.fits(_length(book, job))):
                break  # ids without a job are dropped up to here
            batch.looked += 1
            if entry is None:
                book.totals["lost"] += 1
            elif self._must_wait(job, entry.limiting_key):
                batch.put_off += _length(book, job)
                put_off(book, job, entry)
                if batch.size + batch.put_off >= batch.most_bytes:
                    break
            else:
                self._start(batch, job, entry)
        for job in reversed(ids[batch.looked :]):
            book.lines[book.stood[job]].insert(0, job)
        return batch

    def _must_wait(self, job: str, key: str) -> bool:
        """A job waits behind others of its key, and where that has no room. Behind places of jobs
        that are gone it may be put off until the next turn, which then is due."""
        keys = self.book.keys
        if key == "-":
            return False
        ids = keys.backlogs.get(key, [])
        if self.book.key_room(key, self.now) <= 0 or any(map(self.book.live, ids)):
            return True
        return (key in keys.vacant or bool(ids)) and job not in self.started

    def _backlogs(self, batch: Batch, *, others: bool) -> None:
        """The first jobs of keys that have room: half of the batch where others wait. Of an odd
        number either side may get the larger half."""
        book = self.book
        share = batch.most // 2 if others else batch.most
        most = (batch.most + 1) // 2 if others else batch.most
        gone = book.keys.vacant or any(not book.live(job) for job in book.keys.ids())
        for job in self.started:
            key = book.keys.waits_for(job)
            if not key:
                break
            ids = book.keys.backlogs[key]
            while not book.live(ids[0]):
                ids.pop(0)
            entry = book.live(job)
            require(ids[0] == job and entry is not None, "I17 out of turn", key, job, ids)
            require(book.key_room(key, self.now) > 0, "I17 its key has no room", key, job)
            require(len(batch.jobs) < most, "I17 keys take the others' share", batch, most)
            require(batch.fits(_length(book, job)), "I17 more than a reply holds", job)
            ids.pop(0)
            if entry:
                self._start(batch, job, entry)
            self.told.from_backlogs += 1
        if len(batch.jobs) < share and not gone:  # else places without a job took a share
            self._none_left(batch)

    def _none_left(self, batch: Batch) -> None:
        """Nothing stands in the backlog of a key that has room. Where the first job of one is more
        than a reply holds, the claim ends there, so that smaller jobs never pass it for ever."""
        book = self.book
        left = {
            key: ids
            for key, ids in book.keys.backlogs.items()
            if ids and book.key_room(key, self.now) > 0
        }
        if all(batch.fits(_length(book, ids[0])) for ids in left.values()):
            require(not left, "I17 stuck behind a key with room", left)

    def _start(self, batch: Batch, job: str, entry: Entry) -> None:
        book, ask, key = self.book, self.ask, entry.limiting_key
        limits = book.queue.per_key
        named = f"{key} " if limits and limits.concurrency is not None and key != "-" else ""
        owner = f"{ask.owner} {ask.seq}"
        lease = f"{job} {entry.fence + 1} {owner} {named}{int(batch.exclusive)}"
        ahead = self.told.ahead if self.told.ahead is not None else book.ms_ahead(self.now, 0)
        book.sets["active"][lease] = self.now + ask.lease_ms + ahead
        if book.keys.rate_of_starts and key != "-":
            book.keys.take(key, self.now)
        batch.jobs.append(job)
        batch.leases.append(lease)
        batch.size += _length(book, job)


def starting(book: Book, now: int, ask: TurnRequest) -> tuple[ExpectedReply, int]:
    """How many may start, and what holds the others back."""
    limit = book.queue.limit
    if limit:
        full = limit.burst * limit.per_ms
        level = book.filled(now)
        for age in sorted(book.unspent):
            gained = max(0, age * limit.rate + max(0, -level))
            level = min(full, level + max(0, limit.per_ms - gained))
        book.level, book.level_at, book.per = min(full, level), now, limit.per_ms
    book.unspent.clear()
    if book.paused:
        return ExpectedReply("paused", 0, "", []), 0
    told, starts = ExpectedReply("more", 0, "", []), ask.want
    if book.room() <= 0 or starts > book.room():
        told.reason, starts = "full", book.room()
    tokens = book.tokens(now, 0 if _takes_suspects(book, ask) else ask.ahead_ms)
    if limit and starts > tokens:
        told.reason, told.wait, starts = "limited", book.token_wait(now), tokens
    if told.reason == "limited" and starts <= 0 and not book.waiting():
        told.reason, told.wait = "empty", 0
    return told, starts


def _takes_suspects(book: Book, ask: TurnRequest) -> bool:
    return bool(book.lines["suspects"]) and (ask.exclusive or ask.isolated)


def _length(book: Book, job: str) -> int:
    return book.sizes[job] - len(job)


def _pop(book: Book, want: int) -> list[str]:
    order = ["normal"]
    if book.mixed:
        order = ["high", "normal", "low"]
        if book.turns % 8 == 7:
            order = ["low", "normal", "high"]
        elif book.turns % 4 == 3:
            order = ["normal", "high", "low"]
        book.turns += 1
    jobs: list[str] = []
    for name in order:
        take = want - len(jobs)
        jobs += book.lines[name][:take]
        book.stood.update(dict.fromkeys(book.lines[name][:take], name))
        del book.lines[name][:take]
    if book.mixed and len(jobs) < want:
        book.mixed = bool(jobs)
    return jobs


def put_off(book: Book, job: str, entry: Entry) -> None:
    """The job leaves its list for the end of its key's backlog, once a delivery."""
    entry.reason = "suspect:" if entry.suspected else "key:"
    book.keys.backlogs.setdefault(entry.key, []).append(job)
    book.keys.new.append(job)
    require(book.keys.put_off.get(job) != entry.fence, "I17 put off twice", job, entry.fence)
    book.keys.put_off[job] = entry.fence
    book.save(job, entry)


def answers(book: Book, leases: Sequence[str]) -> list[object]:
    """Leases with their records, as a turn answers them."""
    found: list[object] = []
    for lease in leases:
        raw = book.raws.get(lease.split(" ")[0])
        if raw is not None:
            found += [lease, raw]
    return found


__all__ = ["Claimant", "ExpectedReply", "answers"]
