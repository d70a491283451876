"""One queue's part of a drain: turn, start what was claimed, settle what has finished, again."""

from __future__ import annotations

import logging
from collections.abc import Callable

from .admission import Admission
from .budget import Budget
from .errors import StoreError
from .execute import understand
from .job import Claim, Outcome
from .pool import Crew, Pool
from .queue import Queue
from .report import LaneReport
from .store import Store, TurnReply
from .turns import Turns
from .waiting import unless, wait

log = logging.getLogger("tidegate.drain")

BATCH = 100
HEARTBEAT = 15.0
"""Seconds between turns while everything runs and nothing finishes: cancellations are learned."""
PROGRESS_EVERY = 2.0
LONGEST_PAUSE = 1.0
BACKLOG_TURNS = 2


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
        self._queue, self._budget, self._patience = queue, budget, crew.patience
        self._capacity = min(crew.batch, queue.concurrency or crew.batch)
        self._admission = Admission(queue, budget)
        self._turns = Turns(store, queue, budget, self.report, look=look)
        self._pool = Pool(budget, crew, self._admission, self._fail)
        self._closing, self._over = "", False
        self._bug: BaseException | None = None
        self._full_turns, self._on_backlog = 0, on_backlog

    def close(self, reason: str) -> None:
        """Claim nothing more; what runs may go on while there is time."""
        self._closing = self._closing or reason

    def stop(self, reason: str) -> None:
        """Come to an end now: settle what has finished, give back what runs (SIGTERM, deadline)."""
        self.close(reason)
        self._over = True
        self._pool.changed.set()
        self._pool.idle.set()

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
            await self._pool.stop()
            self._pool.abandon()
        finally:
            self._pool.seat.leave()
        return self.report

    async def _round(self) -> bool:
        """One turn and what follows from it; False when the lane is to end."""
        room = self._room()
        reply = await self._turn(room)
        self._start(reply.claims)
        self._call_for_help(room, len(reply.claims))
        if not self._pool and not self._pool.finished:
            return not self._closing and await self._held(reply)
        await self._until_something_finished()
        return not self._over

    async def _turn(self, want: int) -> TurnReply:
        seat = self._pool.seat
        alone = want > 0 and self._turns.suspects and not self._pool and seat.taken()
        reply = await self._turns.send(
            want, self._pool.take_settles(), self._admission, alone=alone
        )
        if not self._pool.solo and not any(claim.solo for claim in reply.claims):
            seat.leave()
        self._pool.cancel(reply.cancel)
        return reply

    def _start(self, claims: list[Claim]) -> None:
        left = self._budget.for_handlers()
        for claim in claims:
            work = understand(claim, self._queue)
            refusal = self._admission.refusal(work, left)
            if refusal is not None and refusal.kind == "release":
                self.close("budget")
            if refusal is not None or self._over:  # stopped while the claim was under way
                self._pool.settle(claim, refusal or Outcome("release"))
            else:
                self._pool.start(work)

    def _room(self) -> int:
        if self._closing or self._pool.solo:
            return 0
        if not self._admission.anything_fits():
            self.close("budget")
            return 0
        return self._capacity - len(self._pool)

    def _call_for_help(self, room: int, claimed: int) -> None:
        """After two full turns in a row a second lane shall run handlers while this one waits."""
        self._full_turns = self._full_turns + 1 if 0 < room == claimed else 0
        if self._full_turns == BACKLOG_TURNS and self._on_backlog:
            self._on_backlog()

    async def _held(self, reply: TurnReply) -> bool:
        """Nothing runs, nothing was claimed: wait for a near instant, or end with the reason."""
        if reply.why == "suspect":
            await self._pool.seat.wait(self._pool.changed, self._budget.for_handlers())
        if reply.why in ("more", "suspect"):
            return not self._over
        self.report.stop = reply.why
        limit = self._queue.limit if reply.why == "limited" else None
        pause = max(reply.wait_ms / 1000, min(LONGEST_PAUSE, limit.half_burst) if limit else 0.0)
        if reply.wait_ms == 0 or pause > self._patience or not self._budget.allows(pause):
            return False
        self._pool.changed.clear()
        await unless(self._pool.changed, self._budget.clock.sleep(pause))
        return not self._over

    async def _until_something_finished(self) -> None:
        """Until a job has finished, plus at most one round trip's time for others to finish with
        it: a turn costs the same for one as for a hundred."""
        beat = self._budget.clock.monotonic() + HEARTBEAT
        while not self._pool.finished and not self._over:
            left = self._budget.for_handlers()
            if left <= 0:
                self.stop("budget")
                return
            self._pool.changed.clear()
            await wait(self._pool.changed, min(left, PROGRESS_EVERY))
            if self._pool.has_progress() or self._budget.clock.monotonic() >= beat:
                return
        if not self._over:
            await self._pool.wait_idle(min(self._turns.round_trip, self._budget.for_handlers()))

    async def _finish(self) -> None:
        """Stop what still runs, settle what has finished, give the rest back."""
        if self._closing:
            self.report.stop = self._closing
        await self._pool.stop()
        self._pool.release()
        while self._pool.finished:
            await self._turn(0)

    def _fail(self, bug: BaseException) -> None:
        self._bug = bug
        self.stop("error")
