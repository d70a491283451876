"""Who calls the store: lanes of drains, producers, operators. Step machines without a clock or a
network of their own; what they want to say they hand to `send`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from shared import Queue
from shared.jobs.claim import Claim
from shared.jobs.job import Guard, Job
from shared.jobs.outcome import Kind
from shared.store import TurnRequest
from shared.store.turn import MOST_BYTES, Settle

from .audit import require
from .server import Reply, ReplyError, Word
from .world import Call, answered, enqueue_call, start_times, turn_call

LEASES = (8_000, 45_000)
AHEADS = (0, 0, 5_000, 20_000)
CHARACTERS = ("harmless", "poison")
OUTCOMES: dict[Kind, int] = {
    "done": 60, "retry": 14, "dead": 5, "release": 6, "snooze": 5, "park": 4, "cancelled": 2,
    "keep": 4,
}  # fmt: skip


@dataclass(slots=True, eq=False)
class Consumer:
    """One queue's part of one function: turn, run, turn … as shared/lane.py does it."""

    owner: str
    queue: Queue
    deadline: int
    resync: bool
    capacity: int
    most_bytes: int = MOST_BYTES
    healthy: bool = False
    lease_ms: int = LEASES[-1]
    ahead_ms: int = 0
    alive: bool = True
    frozen: bool = False
    closing: bool = False
    asked: TurnRequest | None = None
    seq: int = 0
    running: dict[str, Claim] = field(default_factory=dict)
    finished: list[Settle] = field(default_factory=list)
    closed: list[Settle] = field(default_factory=list)
    mailbox: list[Reply] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        """May it move, or does it wait for a reply or for its thaw?"""
        return self.alive and not self.frozen and (self.asked is None or bool(self.mailbox))

    def die(self) -> None:
        """kill -9, or the end of its patience with the store: its leases bring the jobs back."""
        self.alive = False
        self.running.clear()

    def move(self, rng: Random, now: int, send: Callable[[Call], None]) -> str:
        """What happens next in this function; tells it in a word."""
        if self.mailbox:
            return self.hear(self.mailbox.pop(), rng)
        if self._crashes():
            self.die()
            return "crashed by a poison job"
        self.closing = self.closing or now >= self.deadline or rng.random() < 0.03
        for lease in list(self.running):
            paced = self.running[lease].at_ms > now
            if self.closing or self.healthy or (rng.random() < 0.6 and not paced):
                self._finish(lease, rng, now)
        want = self._want(rng)
        if self.closing and not self.finished:
            self.die()
            return "ended"
        self._ask(want, rng, send)
        return f"asked for {want}, settling {len(self.asked.settles) if self.asked else 0}"

    def hear(self, reply: Reply, rng: Random) -> str:
        """The store answered its turn."""
        asked, self.asked = self.asked, None
        require(not isinstance(reply, ReplyError), "a live owner was told it is overtaken", self)
        if asked is None:
            return "heard it twice"
        told = answered(self.queue, asked, reply)
        starts = start_times(self.queue, told.level, told.claimed_ms, len(told.claims))
        for claim, start in zip(told.claims, starts, strict=True):
            at_ms = max(claim.at_ms, start - 1) if start > claim.at_ms else start
            self.running[claim.lease] = claim._replace(at_ms=at_ms)
        for claim in list(self.running.values()):
            if claim.id in told.cancel:
                self.running.pop(claim.lease)
                self.finished.append(Settle(claim.lease, "cancelled", 0, claim.history))
        if not self.running and not self.finished and told.reason not in ("more", "suspect"):
            self.closing = self.closing or self.healthy or rng.random() < 0.7
        return f"got {[claim.lease for claim in told.claims]} {told.reason}"

    def _crashes(self) -> bool:
        """True if a job kills its process; an exclusive suspect has no neighbour to blame."""
        exclusive = [claim for claim in self.running.values() if claim.exclusive]
        return any('"poison"' in str(claim.body) for claim in exclusive or self.running.values())

    def _want(self, rng: Random) -> int:
        if self.closing or any(claim.exclusive for claim in self.running.values()):
            return 0
        room = max(0, self.capacity - len(self.running))
        return room if self.healthy or rng.random() < 0.8 else min(room, 1)

    def _finish(self, lease: str, rng: Random, now: int) -> None:
        claim = self.running[lease]
        kind: Kind = "done"
        early = claim.at_ms > now and not self.healthy
        if now >= self.deadline or early:
            kind = "release"
        elif not self.healthy:
            kind = rng.choices(list(OUTCOMES), list(OUTCOMES.values()))[0]
        if kind == "keep" and any(settle.lease == lease for settle in self.finished):
            return
        delays = kind in ("retry", "snooze", "park", "release")
        delay = rng.choice((0, 1_000, 7_000, 90_000)) if delays else 0
        may_be = kind in ("park", "release") and rng.random() < 0.5
        unstarted = claim.at_ms if early or may_be else 0
        history = claim.history if kind == "release" else f'{{"{kind}":{claim.fence}}}'
        self.finished.append(Settle(lease, kind, delay, history, unstarted))
        if kind != "keep":
            del self.running[lease]

    def _ask(self, want: int, rng: Random, send: Callable[[Call], None]) -> None:
        self.seq += 1
        settles, self.finished = self.finished, []
        leases = [*self.running, *(settle.lease for settle in settles)]
        if self.closed and rng.random() < 0.05:
            settles = [*settles, rng.choice(self.closed)]  # settled before: stale
        if settles and rng.random() < 0.05:
            settles = [*settles, rng.choice(settles)]  # twice in one turn: stale, unless kept
        self.closed = [settle for settle in settles if settle.kind != "keep"]
        observed = {"t": {rng.randrange(1, 37): 1}} if settles and rng.random() < 0.2 else {}
        self.asked = TurnRequest(
            self.owner, self.seq, want, self.lease_ms, settles,
            exclusive=not self.running, resync=self.resync, observed=observed,
            want_histograms=("t",) if self.seq == 1 else (),
            ahead_ms=self.ahead_ms if self.queue.limit else 0,
            prolong=leases if rng.random() < 0.3 else (),
        )  # fmt: skip
        self.resync = False
        send(turn_call(self.queue, self.asked, self.most_bytes))


@dataclass(slots=True, eq=False)
class Producer:
    """A producer or operator with one call: it repeats it until it is answered or gives up."""

    call: Call
    alive: bool = True

    def jobs(self) -> list[Job]:
        """The jobs it enqueues, if that is what it does."""
        found: list[Job] = self.call.told if self.call.verb == "enqueue" else []
        return found


def produce(rng: Random, queue: Queue, name: str, now: int) -> Call:
    """Single, bulk, delayed, by priority, under a guard, and now and then an id once more."""
    count = 1 if rng.random() < 0.6 else rng.randrange(2, 7)
    return enqueue_call(queue, [_job(rng, f"{name}x{n}", now) for n in range(count)])


def _job(rng: Random, name: str, now: int) -> Job:
    simple = rng.random() < 0.4
    dedup = idempotency = None
    if not simple and rng.random() < 0.3:
        dedup = Guard(f"dedup:{rng.randrange(6)}", rng.choice((0, 0, 5_000, 60_000)))
    if not simple and rng.random() < 0.3:
        ttl = rng.choice((10_000, 120_000))
        idempotency = Guard(f"idem:{rng.randrange(6)}", ttl, f"f{rng.randrange(2)}")
    character = "poison" if rng.random() < 0.02 else "t"
    return Job(
        character,
        '"' + "é" * rng.randrange(5) + '"',
        id=f"same{rng.randrange(5)}" if rng.random() < 0.06 else name,
        priority=rng.choice(("high", "normal", "low")) if not simple else "normal",
        delay_ms=0 if simple else rng.choice((0, 0, 0, 1, 900, 30_000)),
        run_at_ms=0 if simple or rng.random() < 0.9 else now + rng.randrange(-5_000, 20_000),
        key=rng.choice(("-", "-", "user-1")),
        dedup=dedup,
        idempotency=idempotency,
    )


def operate(
    rng: Random, queue: Queue, known: list[str], ended: list[str], active: list[str]
) -> Call:
    """Cancel, pause, resume, redrive, delete, purge, or only look."""
    if active and rng.random() < 0.4:
        known = active
    some = rng.sample(known, min(len(known), rng.randrange(1, 4))) or ["nobody"]
    dead = rng.sample(ended, min(len(ended), rng.randrange(1, 5))) or some
    verb = rng.choices(
        ("cancel", "pause", "redrive", "delete", "purge", "inspect", "stats", "browse"),
        (30, 20, 20, 15, 5, 4, 4, 4),
    )[0]
    name = queue.name
    args: tuple[Word, ...]
    told: object = None
    match verb:
        case "cancel":
            args, told = (name, some[0], queue.completed.age_ms), some[0]
        case "inspect":
            args, told = (name, some[0]), some[0]
        case "pause":
            told = rng.random() < 0.35
            args = (name, int(told))
        case "redrive":
            args, told = (name, *dead), dead
        case "delete":
            state = rng.choice(("-", "x", "c"))
            args, told = (name, state, *dead), (state, dead)
        case "purge":
            told = rng.randrange(1, 8)
            args = (name, told, f"p{rng.getrandbits(48):x}")
        case "stats":
            args = (name, "t")
        case _:
            args = (name, rng.choice(("dead", "completed")), "+inf", 0, 10)
    return Call(verb, queue, args, told)
