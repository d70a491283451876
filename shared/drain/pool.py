"""The running jobs of one consumer: started, cancelled, and collected as settles when they end."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from ..clock import Clock
from ..declare.queue import Queue
from ..jobs.claim import Claim
from ..jobs.history import RUN, JobRun
from ..jobs.outcome import Kind, Outcome
from ..store.turn import Settle, count_that_fit
from .admission import Admission
from .bounds import bound
from .budget import Budget
from .endings import Endings
from .execute import outcome_of_cancelled
from .failures import Failures, is_failure, log_bug
from .leases import HEARTBEAT, SETTLE_BATCH
from .resources import DrainResources
from .run import CancelReason, Run
from .settles import SettleWriter
from .slots import Slots
from .suspects import Suspects
from .waiting import wait_for_event

THREAD_REST = 45.0
"""Seconds for which a job is not handed out again while its thread may still run."""


class Pool:
    """`runs`: those that run, by lease; `settles`: outcomes that wait to be settled. `changed` is
    set when a job ends, `idle` when the last does. `paced`: jobs without token."""

    def __init__(
        self,
        queue: Queue,
        budget: Budget,
        resources: DrainResources,
        admission: Admission,
        suspects: Suspects,
    ) -> None:
        self.endings = Endings(queue, resources.store, resources.find_queue, budget)
        self.writer = SettleWriter(queue, resources)
        self.changed, self.idle = asyncio.Event(), asyncio.Event()
        self._budget, self._resources = budget, resources
        self._admission, self._suspects = admission, suspects
        self._failures = Failures(queue, budget, resources.threads)
        self.runs: dict[str, Run] = {}
        self.settles: list[Settle] = []
        self._ended: dict[Run, Outcome] = {}
        self.paced, self._interrupted = 0, False

    def start(self, run: Run) -> Slots | None:
        """Run it beside the others, at the time of its token; a suspect runs by itself. One whose
        end is decided is only finished. Returns the slots of which it holds one."""
        if run.end and run.is_known:
            self.endings.resume(run, run.end)
            return None
        self.runs[run.claim.lease] = run
        self.paced += run.start_after > 0
        if run.claim.exclusive:
            self._suspects.begin()
        run.task = asyncio.get_running_loop().create_task(self._run(run), name=run.claim.id)
        return self._resources.slots_of(run)

    def settle(self, claim: Claim, outcome: Outcome) -> None:
        """Have this outcome settled with the next turn."""
        now_ms = self._budget.clock.epoch_ms()
        self.settles.append(self.writer.write(claim, outcome, now_ms))
        self.changed.set()
        if not self.runs:
            self.idle.set()

    def take_settles(self) -> list[Settle]:
        """The settles of the next turn: outcomes that fit, and progress as prolonged leases."""
        settles = [*self.settles, *self.writer.progress(self.runs.values())]
        fit = count_that_fit(settles)
        self.settles = settles[fit:]
        return settles[:fit]

    def leases(self) -> list[str]:
        """The open leases: of jobs that run, and of outcomes that no turn has settled yet."""
        settled = (settle.lease for settle in self.settles)
        decided = (ending.run.claim.lease for ending in self.endings.decided)
        return [*self.runs, *settled, *decided]

    def cancel(self, ids: Collection[str]) -> None:
        """Cancel the jobs that an operator cancelled."""
        for run in self.runs.values():
            if run.claim.id in ids:
                run.cancel("operator")

    def has_progress(self) -> bool:
        """True if a handler has reported progress that no turn has carried yet."""
        return any(run.context and run.context.has_progress for run in self.runs.values())

    def interrupt(self) -> None:
        """End the waits that are under way, and wait for no more outcomes."""
        self._interrupted = True
        self._resources.interrupt()
        self.changed.set()
        self.idle.set()

    def runs_long(self) -> bool:
        """True if a job has been running for half a heartbeat."""
        began = self._budget.clock.monotonic() - HEARTBEAT / 2
        return any(run.allowed and run.began <= began for run in self.runs.values())

    async def wait_for_outcomes(self, end: float, heartbeat: float) -> None:
        """Wait until a batch of outcomes can be settled together, while jobs wait for their tokens,
        at most until `end`. From `heartbeat` on, not while a job runs long."""
        while self.paced and len(self.settles) < SETTLE_BATCH and not self._interrupted:
            now = self._budget.clock.monotonic()
            if now >= end or (now >= heartbeat and self.runs_long()):
                return
            self.changed.clear()
            await wait_for_event(self.changed, min(end - now, HEARTBEAT / 3))

    async def wait_idle(self, seconds: float) -> None:
        """Wait until nothing runs, at most `seconds`."""
        if self.runs:
            self.idle.clear()
            await wait_for_event(self.idle, seconds)

    def stop(self, reason: CancelReason) -> None:
        """Cancel everything that runs."""
        for run in list(self.runs.values()):
            run.cancel(reason)

    def release(self) -> None:
        """Give back the jobs that would not end, as settles. One whose thread runs on waits."""
        for run in list(self.runs.values()):
            ended = self._ended.pop(run, None)
            self._settle(run, ended or _outcome_of_stubborn(run, self._budget, self._failures))
            if run.task is not None:
                run.task.cancel()
        self.runs.clear()

    async def _run(self, run: Run) -> None:
        """Execute it and have its outcome settled, whatever fails on the way."""
        try:
            outcome = await self._outcome(run)
        except BaseException as bug:  # noqa: BLE001 - ours, or of its retry policy
            run.error, outcome = bug, log_bug(run.claim, bug, encrypted=run.encrypted)
        try:
            await self._report(run, outcome)
        except BaseException as bug:  # noqa: BLE001 - as above; the outcome stands
            log_bug(run.claim, bug, encrypted=run.encrypted)
        self._end(run, outcome)

    async def _outcome(self, run: Run) -> Outcome:
        """Its outcome, once the time of its token has come and no suspect runs or waits to."""
        lock, after = self._resources.lock, run.start_after
        if not run.claim.exclusive and (after > 0 or lock.reserved):
            try:
                await self._wait_for_token(after)
                await lock.wait_shared()
            except asyncio.CancelledError:  # once it has started, `execute` handles that
                kind: Kind = "cancelled" if run.cancel_reason == "operator" else "release"
                return Outcome(kind, started=False)
        if run.claim.exclusive:  # its consumer holds the lock
            return await self._resources.execute(run, self._budget)
        lock.acquire_shared()
        try:
            return await self._resources.execute(run, self._budget)
        finally:
            lock.release_shared()

    async def _report(self, run: Run, outcome: Outcome) -> None:
        if run.allowed and run.cancel_reason in (None, "timeout"):  # a cut run says nothing
            self._admission.observe(run, self._budget.clock.monotonic() - run.began)
        if is_failure(outcome):
            self._ended[run] = outcome  # it is settled so even if the function ends meanwhile
            await self._failures.report(run, outcome)

    def _end(self, run: Run, outcome: Outcome) -> None:
        self._ended.pop(run, None)
        if self.runs.pop(run.claim.lease, None) is not None:  # else it was given back
            self._settle(run, outcome)
        self._resources.release_slot(run)
        if run.claim.exclusive:  # only now: a crash while its hooks run would count against it
            self._suspects.end()

    def _settle(self, run: Run, outcome: Outcome) -> None:
        try:
            if run.thread_runs:  # in effect at the earliest when it has probably ended
                outcome = outcome._replace(delay=max(outcome.delay, THREAD_REST))
            if outcome.kind == "park":
                self._failures.log_parked(run, outcome)
            outcome = _with_report(run, outcome, self._budget.clock)
            self.settle(run.claim, self._propose(run, outcome))
        except Exception as bug:  # noqa: BLE001 - what it holds can't be written
            noted, ended = outcome.detail.get(RUN), log_bug(run.claim, bug, encrypted=run.encrypted)
            ended = ended._replace(detail={**ended.detail, RUN: noted})
            self.settle(run.claim, self._propose(run, ended))

    def _propose(self, run: Run, outcome: Outcome) -> Outcome:
        """The outcome to settle, which decides an end that has follow-ups."""
        may_follow = self.endings.has_followers or run.body.follow_ups
        return self.endings.propose(run, outcome) if may_follow else outcome

    async def _wait_for_token(self, seconds: float) -> None:
        if seconds > 0:
            try:
                await self._budget.clock.sleep(seconds)
            finally:
                self.paced -= 1


def _outcome_of_stubborn(run: Run, budget: Budget, failures: Failures) -> Outcome:
    try:
        outcome = bound(outcome_of_cancelled(run), run, budget.window, budget.clock.epoch_ms())
    except BaseException as bug:  # noqa: BLE001 - as in _run
        run.error, outcome = bug, log_bug(run.claim, bug, encrypted=run.encrypted)
    if is_failure(outcome):
        failures.log(run, outcome)
    return outcome._replace(started=run.allowed > 0)


def _with_report(run: Run, outcome: Outcome, clock: Clock) -> Outcome:
    """The outcome with what the handler reported, which survives the end, and with the run of which
    the job's history tells: when it began and ended, and how."""
    reported = run.context and run.context.reported()
    if reported:
        outcome = outcome._replace(detail={**reported, **outcome.detail})
    if not run.allowed:
        return outcome
    ended_ms = clock.epoch_ms()
    began_ms = ended_ms - round((clock.monotonic() - run.began) * 1000)
    noted = JobRun(run.claim.attempt, began_ms, ended_ms, outcome.kind)
    return outcome._replace(detail={**outcome.detail, RUN: noted})
