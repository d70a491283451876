"""One queue's part of a drain: a turn, start the claimed jobs, wait for some to end, again."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Callable

from ..declare.policy import RateLimit
from ..declare.queue import Queue
from ..declare.sync import serve_threads
from ..errors import STORE_DOWN
from ..jobs.outcome import Outcome
from ..store import TurnReply
from .admission import Admission
from .budget import Budget
from .encrypted import open_run
from .exclusive import EXCLUSIVE_WAIT
from .keeper import WatchedConsumer
from .leases import HEARTBEAT
from .pool import Pool
from .report import ConsumerReport, StopReason
from .resources import DrainResources
from .run import CancelReason, Run
from .slots import Slots, wait_for_slot
from .suspects import NOTHING, ClaimPlan, Suspects
from .turns import Turns
from .waiting import race, wait_for_event

log = logging.getLogger("tidegate.drain")

BATCH = 100
PROGRESS_EVERY = 5.0
"""Seconds between looks for progress while everything runs. A job that reports some costs a turn
that often."""
ROUNDING = 0.001
"""Seconds. Three looks for progress fill a heartbeat, and must not miss it by a rounding."""
GRACE = 1.0
"""Seconds that cancelled handlers may take to end."""
PROMPT = 0.05
"""Seconds after which the outcomes of obedient handlers are settled, before stubborn ones end."""
BACKLOG_TURNS = 2
"""Full batches in a row that mean a backlog."""


class Backlog:
    """Calls `on_backlog` once BACKLOG_TURNS turns in a row came back full."""

    def __init__(self, on_backlog: Callable[[], None] | None) -> None:
        self._on_backlog, self._full_turns = on_backlog, 0

    def watch(self, room: int, claimed: int) -> None:
        """Count a turn that claimed so many jobs of those that it had room for."""
        self._full_turns = self._full_turns + 1 if 0 < room == claimed else 0
        if self._full_turns == BACKLOG_TURNS and self._on_backlog:
            self._on_backlog()


class Consumer:
    """Drains one queue until it is empty, held back beyond `patience`, or out of budget."""

    def __init__(
        self,
        queue: Queue,
        budget: Budget,
        resources: DrainResources,
        *,
        resync: bool,
        on_backlog: Callable[[], None] | None = None,
    ) -> None:
        self.report = ConsumerReport(queue.name)
        self._queue, self._budget, self._keyring = queue, budget, resources.keyring
        self._patience = resources.patience
        self._capacity = min(resources.batch, queue.concurrency or resources.batch)
        admission = self._admission = Admission(queue, budget)
        turns = self._turns = Turns(resources, queue, budget, admission, self.report, resync=resync)
        self._slots = resources.slots(queue)
        self._suspects = Suspects(resources, self._slots)
        self._pool = Pool(queue, budget, resources, admission, self._suspects)
        held, sent_at = turns.lease_clock, lambda: turns.sent_at
        resources.keep(WatchedConsumer(queue, self._pool.leases, sent_at, held.lease_ms))
        self._closing: StopReason | None = None
        self._over, self._backlog = False, Backlog(on_backlog)

    def close(self, reason: StopReason) -> None:
        """Claim nothing more. What runs may go on while there is time."""
        self._closing = self._closing or reason

    def stop(self, reason: StopReason) -> None:
        """End now: settle what has ended, give back what runs (SIGTERM, deadline)."""
        self.close(reason)
        self._over = True
        self._pool.interrupt()

    async def run(self) -> ConsumerReport:
        """Drain. Never raises: the report says what failed, and other consumers go on."""
        serve_threads()  # handlers inherit this task's context
        try:
            while await self._round():
                pass
            await self._finish()
        except STORE_DOWN as error:
            log.warning("drain_store_error", extra={"queue": self._queue.name, "error": str(error)})
            await self._abandon(StopReason.STORE, str(error))
        except Exception as bug:  # also a script that failed: ours, or it met a damaged key
            log.exception("consumer_bug", extra={"queue": self._queue.name})
            with contextlib.suppress(Exception):
                await self._finish()  # so that no job counts as crashed for it
            await self._abandon(StopReason.ERROR, f"{type(bug).__name__}: {bug}")
        finally:
            self._suspects.end()
        return self.report

    async def _round(self) -> bool:
        """One turn and what follows from it. False when the consumer is to end."""
        pool, plan = self._pool, self._plan()
        if self._slots and not (plan.room or pool.runs or pool.settles or self._closing):
            seconds = min(HEARTBEAT, self._budget.handler_time())
            if await wait_for_slot(self._slots, seconds):
                return not self._over
        reply = await self._claim(plan)
        self._backlog.watch(plan.room, len(reply.claims))
        if not (pool.runs or pool.settles):
            return self._closing is None and await self._wait_for_work(reply)
        left = plan.room - len(reply.claims)
        if not (self._suspects.wait and self._suspects.can_start(left)):
            await self._wait_for_outcomes()
        return not self._over

    async def _claim(self, plan: ClaimPlan) -> TurnReply:
        """A turn, and the start of what it claims. A slot that is not needed is given back."""
        pool = self._pool
        leases, settles = pool.leases(), pool.take_settles()
        try:
            reply = await self._turns.send(plan, settles, leases)
            if pool.endings.proposed:
                pool.endings.confirm(settles, reply.stale)
            self._suspects.learn(reply, plan)
            pool.writer.learn(reply)
            if reply.cancel:
                pool.cancel(reply.cancel)
            self._start(reply, plan.slots)
        finally:
            for kind, unused in plan.slots.items():
                kind.release(unused)
        if pool.endings.decided:
            await pool.endings.finish(pool.settle)
        return reply

    def _start(self, reply: TurnReply, slots: Counter[Slots]) -> None:
        """Start the claimed jobs that fit, each with one of the slots that were taken for it."""
        left, limit = self._budget.handler_time(), self._queue.limit
        for number, claim in enumerate(reply.claims, start=1):
            run = open_run(claim, self._queue, self._keyring)
            if limit is not None:
                _pace(run, limit, number, reply)
            refusal = self._admission.refusal(run, left - run.start_after)
            if refusal is not None and refusal.kind == "release" and run.claim.exclusive:
                self.close(StopReason.BUDGET)  # it is first in line again, whatever its delay
            if refusal is not None or self._over:  # stopped while the claim was under way
                self._pool.settle(run.claim, refusal or Outcome("release", started=False))
            elif (held := self._pool.start(run)) is not None:
                slots[held] -= 1

    def _plan(self) -> ClaimPlan:
        """What the next turn may claim."""
        if self._closing:
            return NOTHING
        if not self._admission.anything_fits():
            # The first turn brings the durations that the store has learned: they may be short.
            if self.report.turns or self._budget.handler_time() <= 0:
                self.close(StopReason.BUDGET)
            return NOTHING
        runs, idle = len(self._pool.runs), not (self._pool.runs or self._pool.settles)
        return self._suspects.plan(self._capacity - runs, runs=runs > 0, idle=idle)

    async def _wait_for_work(self, reply: TurnReply) -> bool:
        """Nothing runs: wait for an instant that is near. True if there may be work now."""
        if reply.suspects:
            left, changed = self._budget.handler_time(), self._pool.changed
            beat, most = min(HEARTBEAT, left), min(self._patience + EXCLUSIVE_WAIT, left)
            can_run = await self._suspects.wait_to_run(reply, changed, beat, most)
            if not can_run and reply.reason == "suspect":
                self.close(StopReason.FULL if self._budget.handler_time() else StopReason.BUDGET)
        if reply.reason in ("more", "suspect"):
            return not self._closing
        self.report.stop = StopReason(reply.reason)
        pause = reply.wait_ms / 1000
        if reply.wait_ms == 0 or pause > self._patience or not self._budget.allows(pause):
            return False
        self._pool.changed.clear()
        await race(self._budget.clock.sleep(pause), self._pool.changed)
        return not self._over

    async def _wait_for_outcomes(self) -> None:
        """Wait until a job has ended, and for others that the same turn can settle."""
        monotonic = self._budget.clock.monotonic
        latest, pace = self._turns.lease_clock.latest(), self._turns.lease_clock.pace
        heartbeat = monotonic() + HEARTBEAT - ROUNDING
        while not self._pool.settles and not self._over:
            left = self._budget.handler_time()
            if left <= 0:
                self.stop(StopReason.BUDGET)
                return
            self._pool.changed.clear()
            await wait_for_event(self._pool.changed, min(left, PROGRESS_EVERY))
            # That turn also brings requests to cancel: a look for them would cost every long job.
            due = self._pool.has_progress() or monotonic() >= latest
            if due or (monotonic() >= heartbeat and self._pool.runs_long()):
                return
        end = min(latest, monotonic() + self._budget.handler_time())
        if self._pool.paced:
            await self._pool.wait_for_outcomes(min(end, monotonic() + pace.ahead), heartbeat)
        if self._pool.runs and not self._over:
            seconds = pace.pause(self._turns.round_trip, more_come=self._pool.paced > 0)
            await self._pool.wait_idle(min(end - monotonic(), seconds))

    async def _finish(self) -> None:
        """Cancel what still runs, settle what has ended, wait for the stubborn, give them back."""
        pool = self._pool
        self.report.stop = self._closing or self.report.stop
        if pool.runs:
            pool.stop(_cancel_reason(self._closing))
            await pool.wait_idle(PROMPT)
        while pool.settles:
            await self._claim(NOTHING)
        if pool.runs:
            await pool.wait_idle(min(GRACE, self._budget.left() / 2))
            pool.release()
            while pool.settles:
                await self._claim(NOTHING)

    async def _abandon(self, reason: StopReason, error: str) -> None:
        """End without the store: leases bring the jobs back."""
        self.report.stop, self.report.error = reason, error
        self._pool.stop(_cancel_reason(self._closing))
        await self._pool.wait_idle(min(GRACE, self._budget.left() / 2))
        self._pool.runs.clear()


def _cancel_reason(closing: StopReason | None) -> CancelReason:
    return "shutdown" if closing is StopReason.SHUTDOWN else "deadline"


def _pace(run: Run, limit: RateLimit, number: int, reply: TurnReply) -> None:
    """Have a job of a limited queue start at the time of its token, which is the `number`-th that
    this claim took."""
    wait_ms = round(limit.seconds_until(number, reply.level) * 1000)
    run.start_after = max(0, wait_ms - (reply.now_ms - reply.claimed_ms)) / 1000
    # Rounded down: a token that is given back must not be younger than it is.
    run.claim = run.claim._replace(at_ms=run.claim.at_ms + max(0, wait_ms - 1))
