"""A drain: every queue that has work, in order of urgency, inside one budget. Returns a report."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from .alone import Alone
from .budget import Budget
from .errors import StoreError
from .lane import BATCH, Crew, Lane
from .queue import Queue, Registry
from .report import Report, stop_of
from .store import Store, keys
from .store.meter import Meter
from .timeouts import Timeouts

log = logging.getLogger("tidegate.drain")

PATIENCE = 5.0
SWEEP_EVERY = 300.0
LOOK = 1.0
"""Below this an agenda entry asks the first turn to look everywhere (the inbox too)."""
SYNC_THREADS = 32
LANES = 4
"""Of one queue in one drain, at most, when it has a backlog: one runs handlers while others wait
for the store. Twice as many would send no more: a process has eight connections."""


class Drain:
    """Drains queues with one store. Make one for each invocation."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        budget: Budget,
        *,
        alone: Alone | None = None,
        patience: float = PATIENCE,
        batch: int = BATCH,
        sweep_every: float = SWEEP_EVERY,
    ) -> None:
        self._store, self._registry, self._budget = store, registry, budget
        self._alone = alone or Alone()
        self._patience, self._batch, self._sweep_every = patience, batch, sweep_every
        self._lanes: list[Lane] = []
        self._stopping = False

    async def tick(self) -> Report:
        """What a schedule calls: drain the queues that can have work. Idle, it is one command.

        What handlers enqueue meanwhile need not wait for the next tick: if they did, it looks at
        the agenda again.
        """
        before = self._store.meter.snapshot()
        try:
            due = await self._due()
            while due:
                enqueued = self._enqueued()
                await self._run(due)
                again = self._enqueued() > enqueued and self._may_go_on()
                due = await self._due() if again else []
        except StoreError as error:
            return self._report(before, str(error))
        return self._report(before)

    async def run(self, queues: Sequence[Queue]) -> Report:
        """Drain exactly these queues, looking everywhere for their work."""
        before = self._store.meter.snapshot()
        await self._run([(queue, True) for queue in queues])
        return self._report(before)

    def stop(self, reason: str = "sigterm") -> None:
        """Claim nothing more, settle what has finished, give the rest back. Safe from a signal
        handler of the running loop."""
        self._stopping = True
        for lane in self._lanes:
            lane.stop(reason)

    def _enqueued(self) -> int:
        """Commands that this process's enqueues have cost so far."""
        return self._store.meter.by_verb.get("enqueue", 0)

    def _may_go_on(self) -> bool:
        failed = any(lane.report.error for lane in self._lanes)
        return not self._stopping and not failed and self._budget.for_handlers() > 0

    async def _due(self) -> list[tuple[Queue, bool]]:
        """(queue, look everywhere?) of those whose time has come, most urgent first.

        A process's first tick, and one every `sweep_every` seconds, looks past the agenda: with
        one command as well while everything is idle. So a lost or wrong entry heals, and what
        foreign producers push is found.
        """
        queues = self._registry.queues()
        sweeping = bool(queues) and self._sweeps()
        if sweeping and not await self._store.stirring({q.name: keys.WORK for q in queues}):
            return []
        agenda = await self._store.agenda()
        now = self._budget.clock.epoch_ms() + self._store.skew_ms()  # known by now: a reply came
        look = {name: instant < LOOK for name, instant in agenda.items() if instant <= now}
        if sweeping:
            look |= dict.fromkeys(await self._forgotten(queues, agenda, look), True)
        return [(queue, look[queue.name]) for queue in queues if queue.name in look]

    def _sweeps(self) -> bool:
        """Is this tick a sweep? By this process's own memory, so it holds for any rhythm of
        ticks."""
        now, last = self._budget.clock.monotonic(), self._store.swept_at
        if not self._sweep_every or (last is not None and now - last < self._sweep_every):
            return False
        self._store.swept_at = now
        return True

    async def _forgotten(
        self, queues: Sequence[Queue], agenda: Mapping[str, float], due: Mapping[str, bool]
    ) -> list[str]:
        """Queues with work that the agenda does not tell. One read, and one each if it is so."""
        parts = {queue.name: keys.WORK for queue in queues}
        parts |= dict.fromkeys(parts.keys() & agenda.keys(), keys.CLAIMABLE)
        parts |= dict.fromkeys(parts.keys() & due.keys(), keys.FOREIGN)
        if not await self._store.stirring(parts):
            return []
        return [name for name in parts if await self._store.stirring({name: parts[name]})]

    async def _run(self, due: Sequence[tuple[Queue, bool]]) -> None:
        if self._stopping:
            return
        threads = ThreadPoolExecutor(SYNC_THREADS, thread_name_prefix="handler")
        crew = Crew(self._alone, threads, Timeouts(), self._batch, self._patience)
        async with asyncio.TaskGroup() as group:

            def open_lane(queue: Queue, *, look: bool, more: int) -> None:
                again = partial(open_lane, queue, look=False, more=more - 1) if more else None
                lane = Lane(self._store, queue, self._budget, crew, look=look, on_backlog=again)
                self._lanes.append(lane)
                group.create_task(lane.run())

            for queue, look in due:
                open_lane(queue, look=look, more=LANES - 1)
        # One that hangs in a thread must not hold the report back.
        threads.shutdown(wait=False, cancel_futures=True)

    def _report(self, before: Meter, error: str | None = None) -> Report:
        used = self._store.meter.since(before)
        lanes = [lane.report for lane in self._lanes]
        outcomes: Counter[str] = Counter()
        for lane in lanes:
            outcomes.update(lane.outcomes)
        report = Report(
            stop="store" if error else stop_of(lanes),
            queues=lanes,
            requests=used.requests,
            commands=used.commands,
            bytes=used.bytes_in + used.bytes_out,
            seconds_used=self._budget.used(),
            seconds_left=self._budget.left(),
            outcomes=outcomes,
            error=error or next((lane.error for lane in lanes if lane.error), None),
        )
        log.info("drained", extra={"report": report.as_dict()})
        return report
