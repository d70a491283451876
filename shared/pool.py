"""The jobs one lane runs: started, stopped, and collected as settles when they end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

from .admission import Admission
from .alone import Alone, Seat
from .budget import Budget
from .execute import Work, execute, stopped
from .job import Claim, Outcome, tail_of
from .store.turn import Settle, that_fit
from .timeouts import Timeouts
from .waiting import wait

GRACE = 1.0


@dataclass(frozen=True, slots=True)
class Crew:
    """What the lanes of one drain share. `batch`: most jobs a lane runs at a time; `patience`:
    seconds a lane with nothing to run waits for a token or a delayed job before it ends."""

    alone: Alone
    threads: Executor
    timeouts: Timeouts
    batch: int = 100
    patience: float = 5.0


class Pool:
    """`changed` is set when a job ends, `idle` when the last one does. `on_bug` is told of a fault
    of ours; it must end the lane."""

    def __init__(
        self,
        budget: Budget,
        crew: Crew,
        admission: Admission,
        on_bug: Callable[[BaseException], None],
    ) -> None:
        self.changed, self.idle = asyncio.Event(), asyncio.Event()
        self.seat = Seat(crew.alone)
        self.solo = False
        self._budget, self._crew, self._admission, self._on_bug = budget, crew, admission, on_bug
        self._running: dict[str, Work] = {}
        self._finished: list[Settle] = []

    def __len__(self) -> int:
        return len(self._running)

    @property
    def finished(self) -> bool:
        """Does a result wait to be settled?"""
        return bool(self._finished)

    def start(self, work: Work) -> None:
        """Run it beside the others; a suspect runs alone."""
        self._running[work.claim.lease] = work
        self.solo = work.claim.solo
        work.task = asyncio.get_running_loop().create_task(self._run(work))

    def settle(self, claim: Claim, outcome: Outcome) -> None:
        """Have this outcome settled with the next turn."""
        tail = claim.tail
        if outcome.detail:
            tail = tail_of(claim, outcome, self._budget.clock.epoch_ms())
        self._finished.append(Settle(claim.lease, outcome.kind, outcome.delay_ms, tail))
        self.changed.set()
        if not self._running:
            self.idle.set()

    def take_settles(self) -> list[Settle]:
        """What fits into the next turn: results, and progress as leases kept."""
        fit = that_fit(self._finished)
        settles, self._finished = self._finished[:fit], self._finished[fit:]
        return [*settles, *self._progressed()]

    def cancel(self, ids: Collection[str]) -> None:
        """Stop those that somebody cancelled."""
        for work in self._running.values() if ids else ():
            if work.claim.id in ids:
                work.stop("cancel")

    def has_progress(self) -> bool:
        """Has a handler said something that no turn has carried yet?"""
        return any(work.context and work.context.has_progress for work in self._running.values())

    async def wait_idle(self, seconds: float) -> None:
        """Until nothing runs, for at most so many seconds."""
        if self._running:
            self.idle.clear()
            await wait(self.idle, seconds)

    async def stop(self) -> None:
        """Cancel what runs and wait a moment for it to end."""
        for work in list(self._running.values()):
            work.stop("deadline")
        await self.wait_idle(min(GRACE, self._budget.left() / 2))

    def abandon(self) -> None:
        """Give up what would not stop: its lease brings the job back."""
        self._running.clear()

    def release(self) -> None:
        """Give back what would not stop, as settles."""
        for work in list(self._running.values()):
            self.settle(work.claim, stopped(work))
        self._running.clear()

    async def _run(self, work: Work) -> None:
        try:
            outcome = await self._outcome(work)
            if self._running.pop(work.claim.lease, None) is not None:  # else it was given back
                self.settle(work.claim, outcome)
        except BaseException as bug:  # noqa: BLE001 - ours: the lane ends with it and never stalls
            self._on_bug(bug)

    async def _outcome(self, work: Work) -> Outcome:
        alone, clock, solo = self._crew.alone, self._budget.clock, work.claim.solo
        try:
            if not solo:
                await alone.wait_turn()
        except asyncio.CancelledError:  # it never began: `execute` would have made an outcome of it
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
                self.solo = False
                self.seat.leave()
            else:
                alone.leave()

    def _progressed(self) -> Iterator[Settle]:
        for work in self._running.values():
            said = work.context.take_progress() if work.context else None
            if said:
                tail = tail_of(work.claim, Outcome("keep", detail=said), 0)
                yield Settle(work.claim.lease, "keep", 0, tail)
