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

from shared import App, Queue, RateLimit, Retention
from shared.jobs.job import Job
from shared.store import TurnRequest, keys
from shared.store.codec import encode_options
from shared.store.store import Store
from shared.store.turn import MOST_BYTES, TurnReply, door_limit, read_reply

from . import census as counting
from . import turns, verbs
from .audit import Auditor, require
from .book import Book
from .census import Census
from .server import Reply, ReplyError, Scripts, Server, Word

PREFIX = "sim"
NUDGE_WINDOW = 1000
EPOCH = 1_800_000_000_000
MOST_BYTES_AT = 12
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
    writes: int


def queues(flavour: int) -> list[Queue]:
    """The queues of a world: a busy one, a limited one, and one of few at a time. The busy one of
    every second world has its records in three entries."""
    app = App("sim")
    kept = Retention(count=3 + flavour % 4, age=600.0)
    return [
        app.queue("plain", completed=kept, shards=1 + 2 * (flavour % 2)),
        app.queue("paced", limit=RateLimit(2 + flavour % 3, per=10.0, burst=1 + flavour % 4),
                  completed=Retention(count=1000, age=120.0)),
        app.queue("few", concurrency=1 + flavour % 3, completed=kept,
                  limit=RateLimit(5, per=1.0, burst=3) if flavour % 2 else None),
    ]  # fmt: skip


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
        self.writes = 0
        self._ask = {q.name: counting.commands(PREFIX, q.name, q.shards) for q in self.queues}
        self._keys = {q.name: keys.vector(PREFIX, q.name, q.shards) for q in self.queues}
        self.last: dict[str, Census] = {}
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
        before, after = self.last[name], counting.read(answers)
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
                waited = book.waiting()
                codes, *others = verbs.enqueue(book, self.wall, told)
                nudge = verbs.nudge(book, told, str(answer[2]), waited, NUDGE_WINDOW)
                expected = [codes, nudge, *others]
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

    def _compare_turn(
        self, call: Call, book: Book, auditor: Auditor, before: Census, after: Census, answer: Reply
    ) -> None:
        ask: TurnRequest = call.told
        first = book.lines["low"][:1]
        book.inbox_ending = before.inbox_ending()
        told = turns.turn(book, self.wall, ask, int(call.args[MOST_BYTES_AT]))
        if told is None or told.replayed:
            require(before.same(after), "I5 a repeated turn changed something", call)
        if told is None:
            require(isinstance(answer, ReplyError), "I5 an overtaken turn was answered", call)
            require("overtaken" in str(answer), "I5", answer)
            return
        require(not isinstance(answer, ReplyError), "a turn was refused", call, answer)
        now = book.now(self.wall)
        _billed, at, why, wait, suspects, verdicts, cancel, *rest, claims = answer
        require(int(at) == now, "I5 the time told", at, now)
        require(verdicts == told.verdicts, "I4 verdicts", verdicts, told.verdicts, call)
        require(list(claims) == told.claims, "claims", claims, "booked", told.claims, call)
        require(set(cancel.split()) == book.cancel, "cancel", cancel, book.cancel)
        claimed_at, level = map(int, rest[1:])
        require((claimed_at, level) == (told.at, told.level), "bucket", claimed_at, level, call)
        require(why == told.reason, "why", why, told.reason, call)
        require(suspects == len(book.lines["suspects"]), "suspects", suspects, call)
        self._wait(book, why, int(wait), told, now)
        if not told.replayed:
            leases = [str(lease) for lease in told.claims[::2]]
            applied = zip(ask.settles, told.verdicts, strict=True)
            auditor.not_started([s for s, ok in applied if ok == "1" and s.unstarted_ms])
            starts = start_times(call.queue, told.level, now, len(leases))
            self.starts[ask.owner, ask.seq] = starts
            auditor.started(book, leases, starts)
            if why != "suspect":
                passed = bool(first) and book.lines["low"][:1] == first
                auditor.claimed_from(book, told.claimed, passed=passed)
            if why == "empty" and told.claimed == 0 and ask.want:
                self._idle(book, after)
            if why in ("paused", "limited", "full") and told.claimed == 0 and ask.want:
                require(_held(after.agenda), "held, yet a sweep looks", why, after.agenda)

    def _wait(self, book: Book, reason: str, wait: int, told: turns.Told, now: int) -> None:
        if reason != "empty":
            require(wait == told.wait, "wait", reason, wait, told.wait)
            return
        first = min(book.first_due(), book.first_expiry())
        true = 0 if first == turns.NEVER else max(1, first - now)
        require(wait == true or 0 < wait <= true or true == 0, "wait", wait, true)

    def _idle(self, book: Book, after: Census) -> None:
        """Nothing to do: the agenda calls nobody before the next timer (an idle tick is one
        command)."""
        if book.lines["suspects"] or book.foreign:
            return
        names = ("due", "recheck", "expiry") if book.sets["active"] else ("due", "recheck")
        first = min(after.number(name, turns.NEVER) for name in names)
        if book.sets["completed"] or after.number("cancelled") or after.number("names"):
            first = min(first, book.trimmed)
        entry = None if first == turns.NEVER else first
        require(after.agenda == entry, "idle, yet called", after.agenda, "next", entry)

    def push(self, queue: Queue, raws: Sequence[str]) -> None:
        """A foreign producer writes to the inbox. It knows no scripts; the sweep finds it."""
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

    def count(self, name: str) -> Census:
        """A census without a call."""
        wire, replies = self._ask[name]
        self.last[name] = counting.read(self.server.send(wire, replies))
        return self.last[name]

    def snapshot(self) -> Snapshot:
        """What a replica has that is about to be promoted."""
        return Snapshot(
            dict(self.last), {name: book.copy() for name, book in self.books.items()}, self.writes
        )

    def fall_back(self, to: Snapshot) -> None:
        """A failover: every write since then is lost, and the scripts with them."""
        self.server.run("SCRIPT", "FLUSH")
        for name, census in to.censuses.items():
            counting.write_back(self.server, PREFIX, name, census)
            require(self.count(name).records == census.records, "the simulator can't restore", name)
            self.auditors[name].forget()
        self.books = {name: book.copy() for name, book in to.books.items()}


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


def turn_call(queue: Queue, ask: TurnRequest, most_bytes: int = MOST_BYTES) -> Call:
    args: list[Word] = [queue.name, *ask.args(queue)]
    args[MOST_BYTES_AT] = most_bytes
    return Call("turn", queue, tuple(args), ask)


def enqueue_call(queue: Queue, jobs: Sequence[Job]) -> Call:
    args: list[Word] = [queue.name, len(jobs), queue.max_jobs, queue.max_bytes, NUDGE_WINDOW]
    args += [door_limit(queue)]
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
