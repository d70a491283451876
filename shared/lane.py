"""One queue's part of a drain: turn, start what was claimed, settle what has finished, again.

A lane has one owner id and numbers its turns, so a turn whose reply was lost is simply sent again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

from .admission import Admission
from .alone import Alone, Seat
from .budget import Budget
from .errors import StoreError
from .execute import Work, execute, stopped, understand
from .job import Claim, Outcome, tail_of
from .queue import Queue
from .report import LaneReport
from .store import Store, TurnAsk, TurnReply
from .store.turn import Settle, that_fit
from .timeouts import Timeouts
from .waiting import unless, wait

log = logging.getLogger("tidegate.drain")

BATCH = 100
LEASE_MARGIN = 5.0
"""Seconds a lease outlives its function: the platform has killed it long before."""
HEARTBEAT = 15.0
"""Seconds between turns while everything runs and nothing finishes: cancellations are learned."""
PROGRESS_EVERY = 2.0
FIRST_TURN_WITHIN = 10.0
GRACE = 1.0
LONGEST_PAUSE = 1.0
BACKLOG_TURNS = 2


@dataclass(frozen=True, slots=True)
class Crew:
    """What the lanes of one drain share. `batch`: most jobs a lane runs at a time; `patience`:
    seconds a lane with nothing to run waits for a token or a delayed job before it ends."""

    alone: Alone
    threads: Executor
    timeouts: Timeouts
    batch: int = BATCH
    patience: float = 5.0


class Lane:
    """Drains one queue until it is empty, held back beyond `patience`, or out of budget."""

    def __init__(
        self,
        store: Store,
        queue: Queue,
        budget: Budget,
        crew: Crew,
        *,
        look: bool,
        on_backlog: Callable[[], None] | None = None,
    ) -> None:
        self.report = LaneReport(queue.name)
        self._store, self._queue, self._budget, self._crew = store, queue, budget, crew
        self._admission = Admission(queue, budget)
        self._capacity = min(crew.batch, queue.concurrency or crew.batch)
        self._owner = secrets.token_hex(6)
        self._look = look
        self._running: dict[str, Work] = {}
        self._finished: list[Settle] = []
        self._wake, self._idle = asyncio.Event(), asyncio.Event()
        self._solo, self._seat = False, Seat(crew.alone)
        self._suspects = True  # there may be some, until a turn tells
        self._closing, self._over = "", False
        self._bug: BaseException | None = None
        self._seq = self._full_turns = 0
        self._on_backlog = on_backlog
        self._round_trip = 0.0

    def close(self, reason: str) -> None:
        """Claim nothing more; what runs may go on while there is time."""
        self._closing = self._closing or reason

    def stop(self, reason: str) -> None:
        """Come to an end now: settle what has finished, give back what runs (SIGTERM, deadline)."""
        self.close(reason)
        self._over = True
        self._wake.set()
        self._idle.set()

    async def run(self) -> LaneReport:
        """Drain. Never raises for the store's or a handler's faults; the report tells them."""
        try:
            while await self._round():
                pass
            if self._bug is not None:
                raise self._bug
            await self._finish()
        except StoreError as error:
            self.report.stop, self.report.error = "store", str(error)
            log.warning("drain_store_error", extra={"queue": self._queue.name, "error": str(error)})
            await self._end_running()
            self._running.clear()  # their leases bring the jobs back
        finally:
            self._seat.leave()
        return self.report

    async def _round(self) -> bool:
        """One turn and what follows from it; False when the lane is to end."""
        room = self._room()
        reply = await self._turn(room)
        self._start(reply.claims)
        self._call_for_help(room, len(reply.claims))
        if not self._running and not self._finished:
            return not self._closing and await self._held(reply)
        await self._until_something_finished()
        return not self._over

    def _call_for_help(self, room: int, claimed: int) -> None:
        """Two full turns in a row: there is more than one lane takes, so a second one shall run
        its handlers while this one waits for the store."""
        self._full_turns = self._full_turns + 1 if 0 < room == claimed else 0
        if self._full_turns == BACKLOG_TURNS and self._on_backlog:
            self._on_backlog()

    async def _held(self, reply: TurnReply) -> bool:
        """Nothing runs, nothing was claimed: wait for a near instant, or end with the reason."""
        if reply.why == "suspect":
            await self._seat.wait(self._wake, self._budget.for_handlers())
        if reply.why in ("", "suspect"):
            return not self._over
        self.report.stop = reply.why
        limit = self._queue.limit if reply.why == "limited" else None
        pause = max(reply.wait_ms / 1000, min(LONGEST_PAUSE, limit.half_burst) if limit else 0.0)
        if reply.wait_ms == 0 or pause > self._crew.patience or not self._budget.allows(pause):
            return False
        self._wake.clear()
        await unless(self._wake, self._budget.clock.sleep(pause))
        return not self._over

    def _room(self) -> int:
        if self._closing or self._solo:
            return 0
        if not self._admission.anything_fits():
            self.close("budget")
            return 0
        return self._capacity - len(self._running)

    async def _turn(self, want: int) -> TurnReply:
        fit = that_fit(self._finished)
        settles = [*self._finished[:fit], *self._progressed()]
        self._finished = self._finished[fit:]
        self._seq += 1
        self.report.turns += 1
        left = self._budget.left()
        ask = TurnAsk(
            owner=self._owner,
            seq=self._seq,
            want=want,
            lease_ms=round((left + LEASE_MARGIN) * 1000),
            settles=settles,
            alone=want > 0 and self._suspects and not self._running and self._seat.taken(),
            look=self._look,
            ask_sketches=sorted(self._queue.types) if self._seq == 1 else (),
            observed=self._admission.take_observed(),
        )
        self._look = False
        within = max(1.0, left if self._seq > 1 else min(FIRST_TURN_WITHIN, left))
        began = self._budget.clock.monotonic()
        reply = await self._store.turn(self._queue, ask, within=within)
        self._round_trip = self._budget.clock.monotonic() - began
        if not self._solo and not any(claim.solo for claim in reply.claims):
            self._seat.leave()
        self._suspects = reply.suspects > 0
        self._admission.learn(reply.sketches)
        self._note(reply, settles)
        return reply

    def _note(self, reply: TurnReply, settles: list[Settle]) -> None:
        """Count what was settled, and stop what somebody cancelled."""
        for settle in settles:
            if settle.lease in reply.refused:
                self.report.late += 1
                job_id = settle.lease.split(" ")[0]
                log.warning("late_settle", extra={"queue": self._queue.name, "job_id": job_id})
            elif settle.kind != "keep":
                self.report.outcomes[settle.kind] += 1
        for work in self._running.values() if reply.cancel else ():
            if work.claim.id in reply.cancel:
                work.stop("cancel")

    def _start(self, claims: list[Claim]) -> None:
        self.report.claimed += len(claims)
        left, loop = self._budget.for_handlers(), asyncio.get_running_loop()
        for claim in claims:
            work = understand(claim, self._queue)
            refusal = self._admission.refusal(work, left)
            if refusal is not None and refusal.kind == "release":
                self.close("budget")
            if refusal is not None or self._over:  # stopped while the claim was under way
                self._settle(claim, refusal or Outcome("release"))
                continue
            self._running[claim.lease] = work
            self._solo = claim.solo
            work.task = loop.create_task(self._run(work))

    async def _run(self, work: Work) -> None:
        try:
            outcome = await self._outcome(work)
            if self._running.pop(work.claim.lease, None) is not None:  # else it was given back
                self._settle(work.claim, outcome)
        except BaseException as bug:  # noqa: BLE001 - ours: the lane ends with it and never stalls
            self._bug = bug
            self.stop("error")

    async def _outcome(self, work: Work) -> Outcome:
        """Wait while somebody else must be alone, then execute. Cancelled while it waits, it has an
        outcome too; once it is under way `execute` turns that into one."""
        alone, clock, solo = self._crew.alone, self._budget.clock, work.claim.solo
        try:
            if not solo:
                await alone.wait_turn()
        except asyncio.CancelledError:
            return Outcome("cancelled" if work.reason == "cancel" else "release")
        if not solo:
            alone.enter()
        try:
            began = clock.monotonic()
            outcome = await execute(work, self._budget, self._crew.threads, self._crew.timeouts)
            self._admission.observe(work, clock.monotonic() - began)
            return outcome
        finally:
            if solo:
                self._solo = False
                self._seat.leave()
            else:
                alone.leave()

    def _settle(self, claim: Claim, outcome: Outcome) -> None:
        tail = claim.tail
        if outcome.detail:
            tail = tail_of(claim, outcome, self._budget.clock.epoch_ms())
        self._finished.append(Settle(claim.lease, outcome.kind, outcome.delay_ms, tail))
        self._wake.set()
        if not self._running:
            self._idle.set()

    def _progressed(self) -> Iterator[Settle]:
        """Progress said since the last turn, as leases kept."""
        for work in self._running.values():
            said = work.context.take_progress() if work.context else None
            if said:
                claim = work.claim
                tail = tail_of(claim, Outcome("keep", detail=said), 0)
                yield Settle(claim.lease, "keep", 0, tail)

    async def _until_something_finished(self) -> None:
        """Until a job has finished, plus at most one round trip's time for others to finish with
        it: a turn costs the same for one as for a hundred."""
        beat = self._budget.clock.monotonic() + HEARTBEAT
        while not self._finished and not self._over:
            left = self._budget.for_handlers()
            if left <= 0:
                self.stop("budget")
                return
            self._wake.clear()
            await wait(self._wake, min(left, PROGRESS_EVERY))
            contexts = [work.context for work in self._running.values() if work.context]
            said = any(context.has_progress for context in contexts)
            if said or self._budget.clock.monotonic() >= beat:
                return
        if self._running and not self._over:
            self._idle.clear()
            await wait(self._idle, min(self._round_trip, self._budget.for_handlers()))

    async def _finish(self) -> None:
        """Stop what still runs, settle what has finished, give the rest back."""
        if self._closing:
            self.report.stop = self._closing
        await self._end_running()
        for work in list(self._running.values()):  # these would not be cancelled
            self._settle(work.claim, stopped(work))
        self._running.clear()
        while self._finished:
            await self._turn(0)

    async def _end_running(self) -> None:
        for work in list(self._running.values()):
            work.stop("deadline")
        if self._running:
            self._idle.clear()
            await wait(self._idle, min(GRACE, self._budget.left() / 2))
