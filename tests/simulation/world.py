"""A store under audit: a real server with the real scripts, a clock, and an auditor of every call.

Not the `World` of tests/support: it has neither a client nor functions. Calls go to the scripts one
by one, and every key is compared with the book after each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from shared import App, KeyLimit, Queue, RateLimit, Retention
from shared.jobs.job import Job
from shared.store import TurnRequest, keys
from shared.store.enqueue import encode_options
from shared.store.key_limits import door_limit
from shared.store.store import Store
from shared.store.turn import CLAIM_MAX_BYTES, TurnReply, read_reply
from shared.store.usage import MOST_OF_SHARE

from . import census as counting
from . import turns, verbs
from .audit import Auditor, require
from .book import Book
from .census import Census
from .ledger import Ledger
from .server import Reply, ReplyError, Scripts, Server, Word

PREFIX = "sim"
NUDGE_WINDOW = 1000
EPOCH = 1_800_000_000_000
CLAIM_MAX_BYTES_AT, WINDOW_AT = 12, 4
HALF = 0.5


@dataclass(frozen=True, slots=True)
class Call:
    """One request for one script: what is sent, and what the auditor shall make of it."""

    verb: str
    queue: Queue
    args: tuple[Word, ...]
    told: Any = None


@dataclass(slots=True)
class Snapshot:
    """All queues as they stood, to fall back to."""

    censuses: dict[str, Census]
    books: dict[str, Book]
    ledger: Ledger
    writes: int


@dataclass(frozen=True, slots=True)
class _Met:
    """What a turn met: the first job of the low list, and the bodies of the jobs it settles."""

    low: list[str]
    bodies: Mapping[str, str]


def queues(flavour: int) -> list[Queue]:
    """The queues of a world: a busy one, a limited one, one of few at a time, and one that limits
    its keys. The busy one of every second world has its records in three entries."""
    app = App("sim")
    kept = Retention(count=3 + flavour % 4, age=600.0)
    return [
        app.queue("plain", completed=kept, shards=1 + 2 * (flavour % 2)),
        app.queue("paced", limit=RateLimit(2 + flavour % 3, per=10.0, burst=1 + flavour % 4),
                  completed=Retention(count=1000, age=120.0)),
        app.queue("few", concurrency=1 + flavour % 3, completed=kept,
                  limit=RateLimit(5, per=1.0, burst=3) if flavour % 2 else None),
        _keyed(app, flavour, kept),
    ]  # fmt: skip


def _keyed(app: App, flavour: int, kept: Retention) -> Queue:
    """By a rate, by a concurrency, by both, or at the door; some have limits of their own, too."""
    rate = RateLimit(1 + flavour % 3, per=(7.0, 0.9)[flavour // 2 % 2], burst=1 + flavour // 3 % 3)
    concurrency = 1 + flavour // 5 % 2
    limits = (
        KeyLimit(rate=rate), KeyLimit(concurrency=concurrency), KeyLimit(rate, concurrency),
        KeyLimit(rate, concurrency if flavour % 2 else None),
    )[flavour % 4]  # fmt: skip
    return app.queue(
        "keyed", completed=kept, per_key=limits,
        if_limited="refuse" if flavour % 4 == 3 else "defer",
        shards=1 + flavour // 4 % 2,
        limit=RateLimit(3, per=2.0, burst=2) if flavour // 7 % 3 == 0 else None,
        concurrency=4 if flavour // 11 % 3 == 0 else None,
    )  # fmt: skip


class AuditedStore:
    """Executes calls one by one and fails at the first difference from the book."""

    def __init__(
        self, server: Server, flavour: int = 0, bodies: Mapping[str, str] | None = None
    ) -> None:
        self.server = server
        server.run("FLUSHALL")
        self.scripts = Scripts(server, bodies)
        self.queues = queues(flavour)
        self.wall = EPOCH
        self.books = {queue.name: Book(queue) for queue in self.queues}
        self.auditors = {queue.name: Auditor() for queue in self.queues}
        self.calls: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        """How often each mechanism did something."""
        self.writes = 0
        self._ask = {q.name: counting.commands(PREFIX, q.name, q.shards) for q in self.queues}
        self._keys = {q.name: keys.vector(PREFIX, q.name, q.shards) for q in self.queues}
        self.last: dict[str, Census] = {}
        self.ledger = Ledger()
        self.starts: dict[tuple[str, int], list[int]] = {}
        """When the jobs of each claim (owner, seq) may start, in order (ms)."""
        for queue in self.queues:
            self.count(queue.name)

    def execute(self, call: Call) -> Reply:
        """The reply, audited. A script's own refusal is a reply too."""
        name = call.queue.name
        self.calls[call.verb] += 1
        self.writes += 1
        reply, answers = self.scripts.execute(
            call.verb, self._keys[name], call.args, self.wall, self._ask[name]
        )
        if isinstance(reply, ReplyError):
            require(False, "a script failed", call, reply)
        calls, answer = reply[0], reply[1]
        require(not (len(reply) > 2 and answer is None), "a script raised", call, reply)
        before = self.last[name]
        after = counting.read(answers, before)
        book, auditor = self.books[name], self.auditors[name]
        self._compare(call, book, auditor, before, after, answer)
        if not isinstance(answer, ReplyError):
            require(answer[0] == calls + 1, "the bill is wrong", call.verb, answer[0], calls + 1)
        self.last[name] = after
        auditor.check(book, after, self.wall)
        return answer

    def _compare(
        self, call: Call, book: Book, auditor: Auditor, before: Census, after: Census, answer: Reply
    ) -> None:
        if call.verb == "turn":
            self._compare_turn(call, book, auditor, before, after, answer)
            return
        told = call.told
        for job in [job for job in auditor.fences if job not in book.raws]:
            del auditor.fences[job]  # that life is over
        expected: list[object]
        match call.verb:
            case "enqueue":
                expected = self._enqueued(call, book, auditor, before)
            case "cancel":
                expected = verbs.cancel(book, self.wall, told)
            case "pause":
                expected = verbs.pause(book, paused=told)
            case "purge":
                expected = verbs.purge(book, told, str(call.args[2]))
            case "delete":
                state, jobs = told
                expected = verbs.delete(book, state, jobs)
            case "redrive":
                expected = verbs.redrive(book, self.wall, told)
            case _:
                require(before.same(after), "a reading script wrote", call)
                return
        require(not isinstance(answer, ReplyError), "refused", call, answer)
        require(list(answer[1:]) == expected, "answer of", call.verb, answer[1:], expected, call)

    def _enqueued(self, call: Call, book: Book, auditor: Auditor, before: Census) -> list[object]:
        jobs: list[Job] = call.told
        met = verbs.Before(book.in_line(), hint=before.number("waits") == 1)
        codes, *others = verbs.enqueue(book, self.wall, jobs)
        stored = [job for job, code in zip(jobs, str(codes), strict=True) if code in "wd"]
        self.ledger.stored(call.queue, stored, book.horizon)
        if call.queue.refused_rate:
            keys = [job.key for job in stored if job.key != "-"]
            auditor.took_tokens(book, keys, book.horizon)
        nudged = verbs.nudge(book, jobs, str(codes), met, int(call.args[WINDOW_AT]))
        self.seen["refused at the door"] += str(codes).count("L")
        self.seen["nudges"] += nudged == "1"
        self.seen["follow-ups"] += sum(job.id.startswith("~f") for job in stored)
        return [codes, nudged, *others]

    def _compare_turn(
        self, call: Call, book: Book, auditor: Auditor, before: Census, after: Census, answer: Reply
    ) -> None:
        ask: TurnRequest = call.told
        taken, _left, instant, *_shards = before.intake()
        book.intake, book.intake_shard = (taken, instant), after.intake()[-1]
        book.keys.see(before)
        refused = isinstance(answer, ReplyError)
        claimed = [] if refused else [lease.split(" ")[0] for lease in answer[-1][::2]]
        settled = {settle.lease.split(" ")[0] for settle in ask.settles}
        bodies = {job: book.entries[job].body for job in settled if job in book.entries}
        met = _Met(book.lines["low"][:1], bodies)
        expected = turns.turn(book, self.wall, ask, int(call.args[CLAIM_MAX_BYTES_AT]), claimed)
        self._adopt(book, after)
        if expected is None or expected.replayed:
            require(before.same(after), "I5 a repeated turn changed something", call)
        if expected is None:
            require(isinstance(answer, ReplyError), "I5 an overtaken turn was answered", call)
            require("overtaken" in str(answer), "I5", answer)
            return
        require(not isinstance(answer, ReplyError), "a turn was refused", call, answer)
        now = book.now(self.wall)
        _billed, at, why, wait, suspects, verdicts, cancel, *rest, claims = answer
        require(int(at) == now, "I5 the time told", at, now)
        require(verdicts == expected.verdicts, "I4 verdicts", verdicts, expected.verdicts, call)
        require(list(claims) == expected.claims, "claims", claims, "booked", expected.claims, call)
        require(set(cancel.split()) == book.cancel, "cancel", cancel, book.cancel)
        claimed_at, level = map(int, rest[1:3])
        require(
            (claimed_at, level) == (expected.at, expected.level), "bucket", claimed_at, level, call
        )
        require(why == expected.reason, "why", why, expected.reason, call)
        require(suspects == len(book.lines["suspects"]), "suspects", suspects, call)
        self._wait(book, why, int(wait), expected, now)
        if not expected.replayed:
            self._take_in(call, auditor, expected, met, now)
            self._agenda(book, ask, expected, after, now + int(wait))

    def _take_in(
        self, call: Call, auditor: Auditor, expected: turns.ExpectedReply, met: _Met, now: int
    ) -> None:
        """What the auditor must know of a new turn."""
        ask: TurnRequest = call.told
        book = self.books[call.queue.name]
        leases = [str(lease) for lease in expected.claims[::2]]
        self.seen["started from backlogs"] += expected.from_backlogs
        self.seen["isolated"] += ask.isolated and sum(lease[-1] == "1" for lease in leases)
        self.seen["decided"] += sum(settle.kind == "decide" for settle in ask.settles)
        applied = zip(ask.settles, expected.verdicts, strict=True)
        auditor.not_started([s for s, ok in applied if ok == "1" and s.unstarted_ms])
        starts = start_times(call.queue, expected.level, now, len(leases))
        self.starts[ask.owner, ask.seq] = starts
        auditor.started(book, leases, starts)
        if book.keys.rate_of_starts:
            ids = [lease.split(" ")[0] for lease in leases]
            keys = [book.entries[job].limiting_key for job in ids]
            auditor.took_tokens(book, [key for key in keys if key != "-"], now)
        self.ledger.settled(call.queue, ask.settles, expected.verdicts, met.bodies)
        if expected.reason != "suspect":
            passed = bool(met.low) and book.lines["low"][:1] == met.low
            auditor.claimed_from(book, expected.claimed, passed=passed)

    def _agenda(
        self, book: Book, ask: TurnRequest, expected: turns.ExpectedReply, after: Census, token: int
    ) -> None:
        """Where nothing was claimed, no turn comes in vain. `token`: ms at which a limited queue
        may have one."""
        if expected.claimed or not ask.want:
            return
        if expected.reason == "empty":
            self._idle(book, after)
        if expected.reason in ("paused", "limited", "full"):
            require(_held(after.agenda), "held, yet a sweep looks", expected.reason, after.agenda)
        if expected.reason == "limited":
            self._limited(book, after, token)

    def _adopt(self, book: Book, after: Census) -> None:
        """The places in backlogs that the scripts chose in this turn."""
        lost = {job for job in book.keys.ids() if job not in book.entries}
        for job, position in book.keys.adopt(after, lost).items():
            self.seen["put off"] += 1
            entry = book.entries[job]
            require(bool(position), "I1 a job that was put off is nowhere", job)
            entry.reason += position
            book.save(job, entry)

    def _wait(
        self, book: Book, reason: str, wait: int, expected: turns.ExpectedReply, now: int
    ) -> None:
        if expected.blocked:
            require(0 < wait <= expected.wait, "wait for a key", wait, expected.wait)
            return
        if reason != "empty":
            require(wait == expected.wait, "wait", reason, wait, expected.wait)
            return
        first = min(book.first_due(), book.first_expiry(), book.first_of_keys(now))
        true = 0 if first == turns.NEVER else max(1, first - now)
        require(wait == true or 0 < wait <= true or true == 0, "wait", wait, true)

    def _idle(self, book: Book, after: Census) -> None:
        """Nothing to do: the agenda calls no drain before the next timer (an idle tick is one
        command)."""
        if book.lines["suspects"] or book.foreign:
            return
        names = ("due", "recheck", "key_due", *(("expiry",) if book.sets["active"] else ()))
        in_vain = not book.keys.vacant and book.first_of_keys(book.mark) > book.mark
        due = after.number("key_due", turns.NEVER)
        require(due > book.mark or not in_vain, "keys are looked at in vain", due)
        require(after.number("waits", 1) == 0, "idle, yet no enqueue calls a drain")
        first = min(after.number(name, turns.NEVER) for name in names)
        if book.sets["completed"] or after.number("cancelled") or after.number("names"):
            first = min(first, book.trimmed)
        entry = None if first == turns.NEVER else first
        require(after.agenda == entry, "idle, yet called", after.agenda, "next", entry)

    def _limited(self, book: Book, after: Census, token: int) -> None:
        """Nothing can start before a token: no turn comes earlier for a job that waits."""
        names = ("due", "recheck", *(("expiry",) if book.sets["active"] else ()))
        first = min(token, *(after.number(name, turns.NEVER) for name in names))
        if book.sets["completed"] or after.number("cancelled") or after.number("names"):
            first = min(first, book.trimmed)
        require((after.agenda or 0) >= first, "limited, yet called", after.agenda, "next", first)

    def push(self, queue: Queue, raws: Sequence[str]) -> None:
        """A foreign producer writes to the inbox. It runs no scripts; the sweep finds it."""
        name = queue.name
        self.server.run("RPUSH", keys.part(PREFIX, name, "inbox"), *raws)
        self.books[name].lines["inbox"] += raws
        self.count(name)

    def damage(self, rng: Random, *, spared: Collection[str]) -> None:
        """A record of a job that waits is evicted. Not of one that may be enqueued once more: it
        would have two places in line (docs/failures.md, known and not mended)."""
        queue = rng.choice(self.queues)
        book = self.books[queue.name]
        lines = [job for line in ("high", "normal", "low") for job in book.lines[line]]
        lines += book.keys.ids()
        waiting = [job for job in lines if not job.startswith("same") and job not in spared]
        if not waiting:
            return
        self.evict(queue, rng.choice(waiting))

    def evict(self, queue: Queue, job: str) -> None:
        """The store drops a record, against all rules."""
        for name in keys.parts(PREFIX, queue.name, keys.records(queue.shards)):
            self.server.run("HDEL", name, job)
        self.books[queue.name].evict(job)
        self.count(queue.name)

    def run_apart(self, queue: Queue, args: Sequence[Word], preface: str) -> Reply:
        """A turn that no book knows of; its writes are taken back afterwards (stops.py)."""
        keys_of_queue = self._keys[queue.name]
        return self.scripts.execute("turn", keys_of_queue, args, self.wall, preface=preface)[0]

    def count(self, name: str) -> Census:
        """A census without a call."""
        wire, replies = self._ask[name]
        self.last[name] = counting.read(self.server.send(wire, replies), self.last.get(name))
        return self.last[name]

    def snapshot(self) -> Snapshot:
        """What a replica has that is about to be promoted."""
        return Snapshot(
            dict(self.last), {name: book.copy() for name, book in self.books.items()},
            self.ledger.copy(), self.writes,
        )  # fmt: skip

    def fall_back(self, to: Snapshot) -> None:
        """A failover: every write since then is lost, and the scripts with them."""
        self.server.run("SCRIPT", "FLUSH")
        for name, census in to.censuses.items():
            counting.write_back(self.server, PREFIX, name, census)
            require(self.count(name).records == census.records, "the simulator can't restore", name)
            self.auditors[name].forget()
        self.books = {name: book.copy() for name, book in to.books.items()}
        self.ledger.fall_back(to.ledger)


def start_times(queue: Queue, level: int, now: int, claimed: int) -> list[int]:
    """When each job of a claim may start: at once, or at the time of its token."""
    limit = queue.limit
    if limit is None:
        return [now] * claimed
    missing = [n * limit.per_ms - level for n in range(1, claimed + 1)]
    return [now + max(0, -(-units // limit.rate)) for units in missing]


def _held(instant: float | None) -> bool:
    """True if an entry says that what waits can't run before it."""
    return instant is not None and (instant >= keys.NEVER or instant % 1 == HALF)


def turn_call(queue: Queue, ask: TurnRequest, most_bytes: int = CLAIM_MAX_BYTES) -> Call:
    args: list[Word] = [queue.name, *ask.args(queue)]
    args[CLAIM_MAX_BYTES_AT] = most_bytes
    return Call("turn", queue, tuple(args), ask)


def enqueue_call(queue: Queue, jobs: Sequence[Job], window: int = NUDGE_WINDOW) -> Call:
    """`window`: of nudges, in ms; 0: none is asked for."""
    args: list[Word] = [queue.name, len(jobs), queue.max_jobs, queue.max_bytes, window]
    args += [door_limit(queue), str(MOST_OF_SHARE)]
    for job in jobs:
        args += [encode_options(job), job.body()]
    return Call("enqueue", queue, tuple(args), list(jobs))


def answered(queue: Queue, ask: TurnRequest, answer: Reply) -> TurnReply:
    """As the store's client reads it."""
    *told, claims = answer[1:]
    return read_reply(queue.name, ask, [*told, [_received(text) for text in claims]])


def _received(text: str) -> str | bytes:
    """As a client has it: what is not UTF-8 stays bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")
    return text


World = AuditedStore
"""The name that tests/planted still uses."""

__all__ = ["AuditedStore", "Call", "Store", "World", "answered", "enqueue_call", "turn_call"]
