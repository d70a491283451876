"""Who calls the store: lanes of drains, and those with one request. Step machines without a clock
or a network of their own; what they want to say they hand to `send`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from shared import Queue
from shared.jobs.claim import Claim
from shared.jobs.ends import DecidedEnd, read_end
from shared.jobs.job import Job
from shared.jobs.outcome import Kind
from shared.store import TurnRequest
from shared.store.turn import CLAIM_MAX_BYTES, Settle

from .audit import require
from .ledger import children
from .server import Reply, ReplyError
from .world import Call, answered, enqueue_call, start_times, turn_call

LEASES = (8_000, 45_000)
AHEADS = (0, 0, 5_000, 20_000)
STORED = "wdDI"
"""Answers to the enqueue of a follow-up that say that it is stored."""
OUTCOMES: dict[Kind, int] = {
    "done": 60, "retry": 14, "dead": 5, "release": 6, "snooze": 5, "park": 4, "cancelled": 2,
    "keep": 4,
}  # fmt: skip


@dataclass(slots=True, eq=False)
class Consumer:
    """One queue's part of one function: turn, run, turn … as shared/drain/consumer.py does it."""

    owner: str
    queue: Queue
    deadline: int
    resync: bool
    capacity: int
    most_bytes: int = CLAIM_MAX_BYTES
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
    queues: Mapping[str, Queue] = field(default_factory=dict)
    isolates: bool = False
    settles_deaths: bool = False
    ending: dict[str, tuple[Claim, DecidedEnd]] = field(default_factory=dict)
    """Ends by their leases, from their decision to their settle."""
    outbox: list[FollowUpProducer] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        """May it move, or does it wait for a reply or for its thaw?"""
        return self.alive and not self.frozen and (self.asked is None or bool(self.mailbox))

    def die(self) -> None:
        """kill -9, or the end of its patience with the store: its leases bring the jobs back."""
        self.alive = False
        self.running.clear()
        self.ending.clear()

    def move(self, rng: Random, now: int, send: Callable[[Call], None]) -> str:
        """What happens next in this function; tells it in a word."""
        if self.mailbox:
            return self.hear(self.mailbox.pop(), rng)
        if self._crashes(rng):
            self.die()
            return "crashed by a poison job"
        self.closing = self.closing or now >= self.deadline or rng.random() < 0.03
        for lease in list(self.running):
            paced = self.running[lease].at_ms > now
            if self.closing or self.healthy or (rng.random() < 0.6 and not paced):
                self._finish(lease, rng, now)
        want = self._want(rng)
        if self.closing and not (self.finished or self.ending):
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
            self._take(claim._replace(at_ms=at_ms))
        for claim in list(self.running.values()):
            if claim.id in told.cancel:
                self.running.pop(claim.lease)
                self.finished.append(Settle(claim.lease, "cancelled", 0, claim.history))
        for settle in asked.settles:
            if settle.kind == "decide":
                self._decided(settle.lease, known=settle.lease not in told.stale)
        if asked.isolated and not told.claims and told.reason == "more":
            self.isolates = False  # the first suspect must run exclusively
        busy = self.running or self.finished or self.ending
        if not busy and told.reason not in ("more", "suspect"):
            self.closing = self.closing or self.healthy or rng.random() < 0.7
        return f"got {[claim.lease for claim in told.claims]} {told.reason}"

    def _take(self, claim: Claim) -> None:
        """A job begins to run here, unless its end is decided."""
        others = [*self.running.values()]
        alone = not (claim.exclusive and others) and not any(other.exclusive for other in others)
        require(alone, "I10 beside a suspect", claim.lease, list(self.running))
        end = read_end(claim.history) if claim.decided else None
        if end is None:
            self.running[claim.lease] = claim
        else:
            self.ending[claim.lease] = claim, end
            self._decided(claim.lease, known=True)

    def _decided(self, lease: str, *, known: bool) -> None:
        """Store the follow-ups of an end, if the store has it."""
        claim, end = self.ending[lease] if known and lease in self.ending else (None, None)
        if claim is None or end is None:
            self.ending.pop(lease, None)
            return
        found = children(self.queue.name, claim.id, str(claim.body), end)
        for queue, child in found:
            call = enqueue_call(self.queues[queue], [child])
            self.outbox.append(FollowUpProducer(call, consumer=self, lease=lease))

    def child_stored(self, lease: str, *, stored: bool) -> None:
        """One follow-up was answered. Where all are stored, the job ends; else it waits."""
        if lease not in self.ending or not self.alive:
            return
        claim, end = self.ending[lease]
        left = [one for one in self.outbox if one.lease == lease and not one.done]
        if stored and left:
            return
        del self.ending[lease]
        kind: Kind = end.kind if stored else "release"
        history = f'{{"{kind}":{claim.fence}}}' if stored else json.dumps(end.detail())
        self.finished.append(Settle(lease, kind, 0 if stored else 60_000, history))

    def _crashes(self, rng: Random) -> bool:
        """True if a job kills its process; an exclusive suspect has no neighbour to blame, and an
        isolated one seldom gets through its own process."""
        exclusive = [claim for claim in self.running.values() if claim.exclusive]
        return any(
            '"poison"' in str(claim.body) and not claim.crashed
            and (not claim.isolated or (rng.random() < 0.2 and not self.healthy))
            for claim in exclusive or self.running.values()
        )  # fmt: skip

    def _want(self, rng: Random) -> int:
        if self.closing or any(claim.exclusive for claim in self.running.values()):
            return 0
        room = max(0, self.capacity - len(self.running))
        return room if self.healthy or rng.random() < 0.8 else min(room, 1)

    def _finish(self, lease: str, rng: Random, now: int) -> None:
        claim = self.running[lease]
        early = claim.at_ms > now and not self.healthy
        kind = self._outcome(claim, rng, early=early or now >= self.deadline)
        if kind == "keep" and any(settle.lease == lease for settle in self.finished):
            return
        delays = kind in ("retry", "snooze", "park", "release")
        delay = rng.choice((0, 1_000, 7_000, 90_000)) if delays else 0
        may_be = kind in ("park", "release") and rng.random() < 0.5
        unstarted = claim.at_ms if early or may_be else 0
        history = claim.history if kind == "release" else f'{{"{kind}":{claim.fence}}}'
        if kind in ("done", "dead"):
            end = DecidedEnd(kind, f"{self.owner}x{self.seq}x{claim.fence}", now)
            if children(self.queue.name, claim.id, str(claim.body), end):
                self.ending[lease] = claim, end
                kind, history = "decide", json.dumps(end.detail())
        self.finished.append(Settle(lease, kind, delay, history, unstarted))
        if kind != "keep":
            del self.running[lease]

    def _outcome(self, claim: Claim, rng: Random, *, early: bool) -> Kind:
        """`early`: its handler was not called."""
        if claim.crashed or (claim.isolated and '"poison"' in str(claim.body)):
            return "dead"
        if early:
            return "release"
        if self.healthy:
            return "done"
        return rng.choices(list(OUTCOMES), list(OUTCOMES.values()))[0]

    def _ask(self, want: int, rng: Random, send: Callable[[Call], None]) -> None:
        self.seq += 1
        settles, self.finished = self.finished, []
        leases = [*self.running, *self.ending, *(settle.lease for settle in settles)]
        if self.closed and rng.random() < 0.05:
            settles = [*settles, rng.choice(self.closed)]  # settled before: stale
        if settles and rng.random() < 0.05:
            settles = [*settles, rng.choice(settles)]  # twice in one turn: stale, unless kept
        self.closed = [settle for settle in settles if settle.kind not in ("keep", "decide")]
        observed = {"t": {rng.randrange(1, 37): 1}} if settles and rng.random() < 0.2 else {}
        isolated = self.isolates and (self.healthy or rng.random() < 0.6)
        self.asked = TurnRequest(
            self.owner, self.seq, want, self.lease_ms, settles,
            exclusive=not (self.running or self.ending or isolated), isolated=isolated,
            resync=self.resync, observed=observed, settles_deaths=self.settles_deaths, events=True,
            want_histograms=("t",) if self.seq == 1 else (),
            ahead_ms=self.ahead_ms if self.queue.may_take_ahead else 0,
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


@dataclass(slots=True, eq=False)
class FollowUpProducer(Producer):
    """The enqueue of one follow-up by the consumer that has decided an end."""

    consumer: Consumer = field(kw_only=True)
    lease: str = field(kw_only=True)
    sent: bool = False
    done: bool = False

    def heard(self, code: str) -> None:
        """The store answered."""
        self.done = True
        self.consumer.child_stored(self.lease, stored=code in STORED)

    def give_up(self) -> None:
        """The store could not be reached: its function ends."""
        self.alive = False
        self.consumer.die()
