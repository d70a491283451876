"""The running jobs of one consumer: started, cancelled, and collected as settles when they end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ..jobs.claim import Claim
from ..jobs.history import add_to_history
from ..jobs.outcome import Outcome
from ..store.turn import Settle, count_that_fit
from .admission import Admission
from .bounds import bound
from .budget import Budget
from .exclusive import ExclusiveHold, SharedExclusiveLock
from .execute import execute, outcome_of_cancelled
from .keeper import Keeper, Watched
from .outcome import outcome_of
from .run import CancelReason, Run
from .threads import HandlerThreads
from .timeouts import Timeouts
from .waiting import wait_for_event

log = logging.getLogger("tidegate.drain")

LOOK_EVERY, RUNS_LONG = 5.0, 7.5
"""Seconds between looks for a job that runs long, and from which one does."""
THREAD_REST = 45.0
"""Seconds for which a job is not handed out again while its thread may still run."""


@dataclass(frozen=True, slots=True)
class DrainResources:
    """What the consumers of one drain share. `batch`: most jobs a consumer runs at a time;
    `patience`: seconds an idle consumer waits for a token or a delayed job before it ends."""

    lock: SharedExclusiveLock
    threads: HandlerThreads
    timeouts: Timeouts
    batch: int
    patience: float
    keeper: Keeper | None = None

    def keep(self, watched: Watched) -> None:
        """Prolong these leases if a handler blocks the event loop."""
        if self.keeper is not None:
            self.keeper.watch(watched)


class Pool:
    """`changed` is set when a job ends, `idle` when the last one does. `paced`: jobs that wait for
    the time of their token."""

    def __init__(self, budget: Budget, resources: DrainResources, admission: Admission) -> None:
        self.changed, self.idle = asyncio.Event(), asyncio.Event()
        self.hold = ExclusiveHold(resources.lock)
        self.exclusive = False
        self._budget, self._resources, self._admission = budget, resources, admission
        self._runs: dict[str, Run] = {}
        self._settles: list[Settle] = []
        self.paced, self._interrupted = 0, False

    def __len__(self) -> int:
        return len(self._runs)

    @property
    def has_settles(self) -> bool:
        """True if outcomes wait to be settled."""
        return bool(self._settles)

    def start(self, run: Run) -> None:
        """Run it beside the others, at the time of its token; a suspect runs by itself."""
        self._runs[run.claim.lease] = run
        self.paced += run.start_after > 0
        self.exclusive = run.claim.exclusive
        run.task = asyncio.get_running_loop().create_task(self._run(run))

    def settle(self, claim: Claim, outcome: Outcome) -> None:
        """Have this outcome settled with the next turn."""
        history = claim.history
        if outcome.detail:
            history = add_to_history(claim, outcome, self._budget.clock.epoch_ms())
        self._settles.append(
            Settle(
                claim.lease,
                outcome.kind,
                outcome.delay_ms,
                history,
                0 if outcome.started else claim.at_ms,
            )
        )
        self.changed.set()
        if not self._runs:
            self.idle.set()

    def take_settles(self) -> list[Settle]:
        """The settles of the next turn: outcomes that fit, and progress as prolonged leases."""
        settles = [*self._settles, *self._progress()]
        fit = count_that_fit(settles)
        self._settles = settles[fit:]
        return settles[:fit]

    def leases(self) -> list[str]:
        """The open leases: of jobs that run, and of outcomes that no turn has settled yet."""
        return [*self._runs, *(settle.lease for settle in self._settles)]

    def cancel(self, ids: Collection[str]) -> None:
        """Cancel the jobs that an operator cancelled."""
        for run in self._runs.values() if ids else ():
            if run.claim.id in ids:
                run.cancel("operator")

    def has_progress(self) -> bool:
        """True if a handler has reported progress that no turn has carried yet."""
        return any(run.context and run.context.has_progress for run in self._runs.values())

    def interrupt(self) -> None:
        """End the waits that are under way, and wait for no more outcomes."""
        self._interrupted = True
        self._resources.threads.interrupt()
        self.changed.set()
        self.idle.set()

    def has_run(self, seconds: float) -> bool:
        """True if a job has been running for so long."""
        began = self._budget.clock.monotonic() - seconds
        return any(0 < run.began <= began for run in self._runs.values())

    async def wait_for_outcomes(self, count: int, seconds: float, heartbeat: float) -> None:
        """Wait until so many outcomes can be settled together, while jobs wait for their tokens, at
        most `seconds`. From `heartbeat` (monotonic) on, not while a job runs long."""
        clock = self._budget.clock
        end = clock.monotonic() + seconds
        while self.paced and len(self._settles) < count and not self._interrupted:
            now = clock.monotonic()
            if now >= end or (now >= heartbeat and self.has_run(RUNS_LONG)):
                return
            self.changed.clear()
            await wait_for_event(self.changed, min(end - now, LOOK_EVERY))

    async def wait_idle(self, seconds: float) -> None:
        """Wait until nothing runs, at most `seconds`."""
        if self._runs:
            self.idle.clear()
            await wait_for_event(self.idle, seconds)

    def stop(self, reason: CancelReason) -> None:
        """Cancel everything that runs."""
        for run in list(self._runs.values()):
            run.cancel(reason)

    def abandon(self) -> None:
        """Forget the jobs that would not end; their leases bring them back."""
        self._runs.clear()

    def release(self) -> None:
        """Give back the jobs that would not end, as settles. One whose thread runs on waits."""
        for run in list(self._runs.values()):
            outcome = outcome_of_cancelled(run)
            outcome = bound(outcome, run, self._budget.window, self._budget.clock.epoch_ms())
            outcome = outcome._replace(started=run.allowed > 0)
            self.settle(run.claim, _rested(run, outcome))
            if run.task is not None:
                run.task.cancel()
        self._runs.clear()

    async def _run(self, run: Run) -> None:
        try:
            outcome = await self._outcome(run)
        except BaseException as bug:  # ours, and of this job alone
            log.exception("job_bug", extra={"queue": run.claim.queue, "job_id": run.claim.id})
            outcome = outcome_of(bug, attempt=run.claim.attempt, retry=run.retry)
        if run.allowed and run.cancel_reason in (None, "timeout"):  # a cut run says nothing
            self._admission.observe(run, self._budget.clock.monotonic() - run.began)
        if self._runs.pop(run.claim.lease, None) is not None:  # else it was given back
            self.settle(run.claim, outcome if run.thread is None else _rested(run, outcome))
        if run.needs_thread:
            self._release_thread(run)

    def _release_thread(self, run: Run) -> None:
        threads = self._resources.threads
        if run.thread is not None and not run.thread.done():
            run.thread.add_done_callback(lambda _thread: threads.release())
        else:
            threads.release()

    async def _outcome(self, run: Run) -> Outcome:
        """Hold the lock while the job executes. A job cancelled before it starts gets its outcome
        here; afterwards `execute` handles it."""
        resources = self._resources
        if run.claim.exclusive:
            try:
                run.began = self._budget.clock.monotonic()
                return await execute(run, self._budget, resources.threads, resources.timeouts)
            finally:
                self.exclusive = False
                self.hold.release()
        lock = resources.lock
        try:
            if run.start_after > 0:
                await self._wait_for_token(run.start_after)
            if lock.reserved:
                await lock.wait_shared()
        except asyncio.CancelledError:
            return Outcome(
                "cancelled" if run.cancel_reason == "operator" else "release", started=False
            )
        lock.acquire_shared()
        try:
            run.began = self._budget.clock.monotonic()
            return await execute(run, self._budget, resources.threads, resources.timeouts)
        finally:
            lock.release_shared()

    async def _wait_for_token(self, seconds: float) -> None:
        try:
            await self._budget.clock.sleep(seconds)
        finally:
            self.paced -= 1

    def _progress(self) -> Iterator[Settle]:
        for run in self._runs.values():
            progress = run.context.take_progress() if run.context else None
            if progress:
                history = add_to_history(run.claim, Outcome("keep", detail=progress), 0)
                yield Settle(run.claim.lease, "keep", 0, history)


def _rested(run: Run, outcome: Outcome) -> Outcome:
    """The outcome, at the earliest when the thread that still runs has probably ended."""
    return outcome._replace(delay=max(outcome.delay, THREAD_REST)) if run.thread_runs else outcome
