"""One queue's part of a drain: turn, start what was claimed, settle what has finished, again.

A lane has one owner id and numbers its turns, so a turn whose reply was lost is simply sent again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field

from .alone import Alone
from .budget import Budget
from .durations import bucket_of, quantile
from .errors import StoreError
from .execute import Stop, Work, execute, understand
from .job import Claim, Outcome, tail_of
from .queue import Queue
from .store import Store, TurnAsk, TurnReply
from .store.turn import Settle

log = logging.getLogger("tidegate.drain")

BATCH = 100
LEASE_MARGIN = 5.0
"""Seconds a lease outlives its function: the platform has killed it long before."""
HEARTBEAT = 15.0
"""Seconds between turns while everything runs and nothing finishes: cancellations and progress."""
PROGRESS_EVERY = 2.0
SURE = 0.95
FIRST_TURN_WITHIN = 10.0
GRACE = 1.0


@dataclass(slots=True)
class Running:
    """A handler under way."""

    work: Work
    stop: Stop
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class LaneReport:
    """What one queue's lane did, and why it stopped."""

    queue: str
    stop: str = "empty"
    claimed: int = 0
    turns: int = 0
    late: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    error: str | None = None


class Lane:
    """Drains one queue until it is empty, held back beyond `patience`, or out of budget."""

    def __init__(
        self,
        store: Store,
        queue: Queue,
        budget: Budget,
        *,
        alone: Alone,
        threads: Executor,
        look: bool,
        patience: float,
        batch: int = BATCH,
    ) -> None:
        self.report = LaneReport(queue.name)
        self._store, self._queue, self._budget = store, queue, budget
        self._alone, self._threads, self._patience = alone, threads, patience
        self._capacity = min(batch, queue.concurrency or batch)
        self._owner = secrets.token_hex(6)
        self._look = look
        self._running: dict[str, Running] = {}
        self._finished: list[Settle] = []
        self._observed: dict[str, Counter[int]] = {}
        self._sketches: dict[str, list[int]] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._solo = False
        self._closing = ""
        self._round_trip = 0.0

    def close(self, reason: str) -> None:
        """Claim nothing more and come to an end (SIGTERM, deadline)."""
        self._closing = self._closing or reason
        self._wake.set()

    async def run(self) -> LaneReport:
        """Drain. Never raises for the store's or a handler's faults; the report says what
        happened."""
        try:
            while await self._round():
                pass
            await self._finish()
        except StoreError as error:
            self.report.stop, self.report.error = "store", str(error)
            log.warning("drain_store_error", extra={"queue": self._queue.name, "error": str(error)})
            await self._abandon()
        return self.report

    async def _round(self) -> bool:
        """One turn and what follows from it; False when the lane is to end."""
        reply = await self._turn(self._room())
        self._start(reply.claims)
        if self._closing:
            return False
        if not self._running and not self._finished:
            return await self._held(reply)
        await self._until_something_finished()
        return not self._closing

    async def _held(self, reply: TurnReply) -> bool:
        """Nothing runs and nothing was claimed: wait for a near instant, or end with the reason."""
        wait = reply.wait_ms / 1000
        if reply.why in ("", "suspect"):
            return True
        self.report.stop = reply.why
        if not 0 < wait <= self._patience or not self._budget.allows(wait + self._shortest()):
            return False
        await self._budget.clock.sleep(max(wait, self._round_trip))
        return not self._closing

    def _room(self) -> int:
        if self._closing or self._solo:
            return 0
        if not self._budget.allows(self._shortest()):
            self.close("budget")
            return 0
        return self._capacity - len(self._running)

    def _shortest(self) -> float:
        """Seconds of the quickest type as far as learned: below that, claiming makes no sense."""
        return min(
            (self._expected(name, self._queue.timeout) for name in self._sketches), default=0.0
        )

    def _expected(self, name: str, timeout: float) -> float:
        """Seconds a job of this type takes, as learned. Before that its timeout, but not more than
        half a window: a guess may delay a job, it must not keep it from ever being tried."""
        learned = quantile(self._sketches.get(name, ()), SURE)
        if learned is None:
            return min(timeout, (self._budget.total - self._budget.reserve) / 2)
        return min(timeout, learned)

    async def _turn(self, want: int) -> TurnReply:
        settles, self._finished = [*self._finished, *self._progressed()], []
        observed, self._observed = self._observed, {}
        self.report.turns += 1
        ask = TurnAsk(
            owner=self._owner,
            seq=self.report.turns,
            want=want,
            lease_ms=round((self._budget.left() + LEASE_MARGIN) * 1000),
            settles=settles,
            alone=not self._running,
            look=self._look,
            ask_sketches=sorted(self._queue.types) if self.report.turns == 1 else (),
            observed=observed,
        )
        self._look = False
        began = self._budget.clock.monotonic()
        within = (
            max(1.0, self._budget.left())
            if settles
            else min(FIRST_TURN_WITHIN, max(1.0, self._budget.left()))
        )
        reply = await self._store.turn(self._queue, ask, within=within)
        self._round_trip = self._budget.clock.monotonic() - began
        self._learn(reply, settles)
        return reply

    def _learn(self, reply: TurnReply, settles: list[Settle]) -> None:
        self._sketches.update(reply.sketches)
        for settle in settles:
            if settle.lease in reply.refused:
                self.report.late += 1
                log.warning(
                    "late_settle",
                    extra={"queue": self._queue.name, "job_id": settle.lease.split(" ")[0]},
                )
            elif settle.kind != "keep":
                self.report.outcomes[settle.kind] += 1
        if reply.cancel:
            for running in self._running.values():
                if running.work.claim.id in reply.cancel:
                    self._cancel(running, "cancel")

    def _start(self, claims: list[Claim]) -> None:
        self.report.claimed += len(claims)
        for claim in claims:
            work = understand(claim, self._queue)
            expected = self._expected(work.name, work.timeout)
            if not self._budget.allows(expected) and work.job_type is not None:
                self._settle(claim, self._does_not_fit(expected))
                continue
            running = Running(work, Stop())
            self._running[claim.lease] = running
            self._solo = self._solo or claim.solo
            running.task = asyncio.create_task(self._run(running))

    def _does_not_fit(self, expected: float) -> Outcome:
        if self._budget.ever_allows(expected):
            self.close("budget")
            return Outcome("release")
        window = self._budget.total - self._budget.reserve
        reason = (
            f"expected to take {expected:.1f} s; a whole window of this host has {window:.1f} s"
        )
        return Outcome("park", max(60.0, self._budget.total), {"parked": reason})

    async def _run(self, running: Running) -> None:
        claim, clock = running.work.claim, self._budget.clock
        try:
            async with self._alone.exclusive() if claim.solo else self._alone.together():
                began = clock.monotonic()
                outcome = await execute(running.work, self._budget, running.stop, self._threads)
                self._observe(running.work, clock.monotonic() - began)
        except asyncio.CancelledError:  # cancelled while it waited to start
            outcome = Outcome("cancelled" if running.stop.reason == "cancel" else "release")
        if self._running.pop(claim.lease, None) is None:
            return  # given back at the deadline already
        if claim.solo:
            self._solo = False
        self._settle(claim, outcome)

    def _observe(self, work: Work, seconds: float) -> None:
        if work.job_type is None or work.problem:
            return
        bucket = bucket_of(seconds)
        self._observed.setdefault(work.name, Counter())[bucket] += 1
        sketch = self._sketches.get(work.name)
        if sketch and len(sketch) >= bucket:
            sketch[bucket - 1] += 1

    def _settle(self, claim: Claim, outcome: Outcome) -> None:
        tail = (
            claim.tail
            if outcome.kind == "release"
            else tail_of(claim, outcome, self._budget.clock.epoch_ms())
        )
        self._finished.append(Settle(claim.lease, outcome.kind, outcome.delay_ms, tail))
        self._wake.set()
        if not self._running:
            self._idle.set()

    def _progressed(self) -> Iterator[Settle]:
        """Progress said since the last turn, as leases kept."""
        for running in self._running.values():
            said = running.stop.context.take_progress() if running.stop.context else None
            if said:
                claim = running.work.claim
                yield Settle(
                    claim.lease, "keep", 0, tail_of(claim, Outcome("keep", detail=said), 0)
                )

    async def _until_something_finished(self) -> None:
        """Until a job has finished, plus at most one round trip's time for others to finish with
        it: a turn costs the same for one as for a hundred."""
        beat = self._budget.clock.monotonic() + HEARTBEAT
        while not self._finished and not self._closing:
            left = self._budget.for_handlers()
            if left <= 0:
                self.close("budget")
                return
            self._wake.clear()
            await _wait(self._wake, min(left, PROGRESS_EVERY))
            said = any(
                r.stop.context and r.stop.context.has_progress for r in self._running.values()
            )
            if said or self._budget.clock.monotonic() >= beat:
                return
        if self._running and not self._closing:
            self._idle.clear()
            await _wait(self._idle, min(self._round_trip, self._budget.for_handlers()))

    async def _finish(self) -> None:
        """Settle what has finished, stop what still runs, give the rest back."""
        if self._closing:
            self.report.stop = self._closing
        for running in list(self._running.values()):
            self._cancel(running, "deadline")
        await self._settle_down()
        for lease, running in list(self._running.items()):  # it would not be cancelled
            del self._running[lease]
            self._settle(running.work.claim, Outcome("release"))
        while self._finished:
            await self._turn(0)

    async def _settle_down(self) -> None:
        if self._running:
            self._idle.clear()
            await _wait(self._idle, min(GRACE, self._budget.left() / 2))

    async def _abandon(self) -> None:
        """The store is gone: stop the handlers; the leases bring their jobs back."""
        for running in list(self._running.values()):
            self._cancel(running, "deadline")
        await self._settle_down()
        self._running.clear()

    @staticmethod
    def _cancel(running: Running, reason: str) -> None:
        if running.task and not running.stop.reason:
            running.stop.reason = reason
            running.task.cancel()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()
    except TimeoutError:
        pass
