"""A drain: every queue that has work, in order of urgency, inside one budget. Returns a report."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from .alone import Alone
from .budget import Budget
from .errors import StoreError
from .lane import BATCH, Crew, Lane
from .queue import Queue, Registry
from .report import Report, stop_of
from .store import Store
from .store.meter import Meter

log = logging.getLogger("tidegate.drain")

PATIENCE = 5.0
SWEEP_EVERY = 300.0
LOOK = 1.0
"""Below this an agenda entry asks the first turn to look everywhere (the inbox too)."""
SYNC_THREADS = 32
LANES = 2
"""Of one queue in one drain, when it has a backlog: one runs handlers while the other waits."""


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
        """What a schedule calls: drain the queues that can have work. Idle, it is one command."""
        before = self._store.meter.snapshot()
        try:
            due = await self._due()
        except StoreError as error:
            return self._report(before, str(error))
        return await self._run(due, before)

    async def run(self, queues: Sequence[Queue]) -> Report:
        """Drain exactly these queues, looking everywhere for their work."""
        return await self._run([(queue, True) for queue in queues], self._store.meter.snapshot())

    def stop(self, reason: str = "sigterm") -> None:
        """Claim nothing more, settle what has finished, give the rest back. Safe from a signal
        handler of the running loop."""
        self._stopping = True
        for lane in self._lanes:
            lane.stop(reason)

    async def _due(self) -> list[tuple[Queue, bool]]:
        """(queue, look everywhere?) of those whose time has come, most urgent first.

        Once in `sweep_every` seconds (by the clock's own minutes, so it needs no memory) all
        queues are looked at instead of the agenda, with one command as well: a lost entry heals,
        and a lasting one costs nothing while everything is idle.
        """
        queues = self._registry.queues()
        now = self._budget.clock.epoch_ms() + self._store.skew_ms()
        sweeping = self._is_sweep(now)
        if sweeping and not await self._store.stirring(queues):
            return []
        agenda = await self._store.agenda()
        if sweeping:
            lost = [queue for queue in queues if queue.name not in agenda]
            forgotten = {queue.name for queue in lost if await self._store.stirring([queue])}
        else:
            forgotten = set()
        due = []
        for queue in queues:
            instant = agenda.get(queue.name)
            if queue.name in forgotten or (instant is not None and instant <= now):
                due.append(
                    (queue, queue.name in forgotten or (instant is not None and instant < LOOK))
                )
        return due

    def _is_sweep(self, now_ms: float) -> bool:
        minute = 60_000
        period = max(1, round(self._sweep_every * 1000 / minute))
        return self._sweep_every > 0 and int(now_ms // minute) % period == 0

    async def _run(self, due: Sequence[tuple[Queue, bool]], before: Meter) -> Report:
        if not due or self._stopping:
            return self._report(before)
        threads = ThreadPoolExecutor(SYNC_THREADS, thread_name_prefix="handler")
        crew = Crew(self._alone, threads, self._batch, self._patience)
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
        return self._report(before)

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
