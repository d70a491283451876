"""A drain: every queue that has work, in order of urgency, inside one budget. Returns a report."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Sequence
from functools import partial

from ..declare.app import Registry
from ..declare.queue import Queue
from ..errors import StoreError
from ..jobs.job import PRIORITIES
from ..store import Store, keys
from ..store.meter import Meter
from ..store.schedules import is_schedule
from .budget import Budget
from .consumer import BATCH, Consumer
from .exclusive import SharedExclusiveLock
from .keeper import Keeper
from .report import Report, StopReason, gravest
from .resources import DrainResources, new_children
from .threads import HandlerThreads
from .timeouts import Timeouts

log = logging.getLogger("tidegate.drain")

PATIENCE = 5.0
SWEEP_EVERY = 300.0
NOW = 1.0
"""Agenda scores below this mean: recount the queue first, inbox included."""
ROUNDING = 0.001
"""Seconds. Ticks in the very rhythm of the sweeps must not miss one by a rounding."""
SYNC_THREADS = 32
OPEN_CONSUMERS = 64
"""Most consumers open at a time. More would wait longer for connections than for the store."""
CONSUMERS = 4
"""Most consumers of one queue in one drain, when it has a backlog: one runs handlers while others
wait for the store. Twice as many would send no more: a process has eight connections."""


class Drain:
    """Drains queues with one store. Make one for each invocation. `isolates_suspects`: suspects run
    in child processes, which must be able to import the applications."""

    def __init__(  # noqa: PLR0913 - one keyword a number, all optional
        self,
        store: Store,
        registry: Registry,
        budget: Budget,
        *,
        lock: SharedExclusiveLock | None = None,
        keeper: Keeper | None = None,
        isolates_suspects: bool = False,
        patience: float = PATIENCE,
        batch: int = BATCH,
        sweep_every: float = SWEEP_EVERY,
    ) -> None:
        self._store, self._registry, self._budget = store, registry, budget
        self._lock, self._keeper = lock or SharedExclusiveLock(), keeper
        self._patience, self._batch, self._sweep_every = patience, batch, sweep_every
        self._isolates = isolates_suspects
        self._consumers: list[Consumer] = []
        self._stopping: StopReason | None = None
        self.swept = False
        """True if its tick was a sweep: the time for what a deployment does now and then."""

    async def tick(self) -> Report:
        """Drain the queues that can have work: what a schedule calls. Idle, it is one command.

        If handlers enqueued jobs, the agenda is read again, so those run in the same tick.
        """
        return await self._drain(None)

    async def run(self, queues: Sequence[Queue]) -> Report:
        """Drain exactly these queues, and recount each of them first. What their handlers enqueue
        on any of them runs, too."""
        return await self._drain(queues)

    def stop(self, reason: StopReason = StopReason.SHUTDOWN) -> None:
        """Claim nothing more, settle what has ended, give the rest back. To be called in the event
        loop of the drain."""
        self._stopping = reason
        for consumer in self._consumers:
            consumer.stop(reason)

    async def _drain(self, queues: Sequence[Queue] | None) -> Report:
        """Round after round, as long as handlers enqueue. None: the queues that are due."""
        before = self._store.meter.snapshot()
        try:
            due = await self._due() if queues is None else [(queue, True) for queue in queues]
            while due:
                enqueued = self._enqueue_commands()
                await self._consume_all(due)
                again = self._enqueue_commands() > enqueued and self._may_go_on()
                due = await self._due(queues) if again else []
        except StoreError as error:
            return self._report(before, str(error))
        return self._report(before)

    def _enqueue_commands(self) -> int:
        """Commands that this process's enqueues have cost so far."""
        return self._store.meter.by_verb.get("enqueue", 0)

    def _may_go_on(self) -> bool:
        failed = any(consumer.report.error for consumer in self._consumers)
        return not self._stopping and not failed and self._budget.handler_time() > 0

    async def _due(self, among: Sequence[Queue] | None = None) -> list[tuple[Queue, bool]]:
        """The queues that are due, most urgent first, each with whether to recount it first.
        `among` limits them; None means all.

        A process's first tick, and one every `sweep_every` seconds, is a sweep: it also checks the
        queues themselves, which repairs lost entries and finds records of foreign producers. One
        command more, and a second one only where something is found.
        """
        queues = self._registry.queues() if among is None else among
        sweeping = among is None and bool(queues) and self._begin_sweep()
        agenda = await self._store.agenda()
        skew = self._store.rest.skew_ms()  # known by now: a reply came
        now = self._budget.clock.epoch_ms() + skew
        resync = {name: instant < NOW for name, instant in agenda.items() if instant <= now}
        if self._registry.schedules or (sweeping and any(map(is_schedule, agenda))):
            fired = await self._fire(agenda, int(now), sweeping=sweeping)
            resync = dict.fromkeys(fired, False) | resync
        if sweeping:
            parts = {queue.name: _unlisted_parts(agenda.get(queue.name), now) for queue in queues}
            resync |= dict.fromkeys(await self._store.find_work(parts), True)
        due = [queue for queue in queues if queue.name in resync]
        suspects = self._store.suspects
        order = sorted(_rotated(due, int(now)), key=lambda queue: queue.name not in suspects)
        return [(queue, resync[queue.name]) for queue in order]

    async def _fire(self, agenda: dict[str, float], now: int, *, sweeping: bool) -> list[str]:
        """Enqueue what schedules have due; the queues that got jobs. A sweep adds and removes
        schedules as the code declares them."""
        from ..schedules.fire import fire  # noqa: PLC0415 - cold start: most deployments have none
        from ..schedules.reconcile import reconcile  # noqa: PLC0415 - as above

        registry = self._registry
        if sweeping:
            await reconcile(self._store, registry.schedules, registry.apps, agenda, now)
        return [queue.name for queue in await fire(self._store, registry.schedules, agenda, now)]

    def _begin_sweep(self) -> bool:
        """True if this tick is a sweep. The process remembers its last one, so this holds for any
        rhythm of ticks."""
        now, last = self._budget.clock.monotonic(), self._store.swept_at
        passed = math.inf if last is None else now - last + ROUNDING
        if not self._sweep_every or passed < self._sweep_every:
            return False
        self._store.swept_at = now
        self.swept = True
        return True

    async def _consume_all(self, due: Sequence[tuple[Queue, bool]]) -> None:
        if self._stopping:
            return
        resources = DrainResources(
            self._lock,
            HandlerThreads(SYNC_THREADS),
            Timeouts(),
            self._batch,
            self._patience,
            self._keeper,
            partial(new_children, self._store, self._registry, self._budget),
            self._isolates,
        )
        opened, places = Counter[str](), asyncio.Semaphore(OPEN_CONSUMERS)
        async with asyncio.TaskGroup() as group:

            def open_consumer(queue: Queue, *, resync: bool = False) -> None:
                if opened[queue.name] == CONSUMERS:
                    return
                opened[queue.name] += 1
                consumer = Consumer(
                    self._store,
                    queue,
                    self._budget,
                    resources,
                    resync=resync,
                    on_backlog=partial(open_consumer, queue),
                )
                self._consumers.append(consumer)
                group.create_task(self._consume(consumer, places))

            for queue, resync in due:
                open_consumer(queue, resync=resync)
        await resources.close()

    async def _consume(self, consumer: Consumer, places: asyncio.Semaphore) -> None:
        async with places:
            if self._budget.handler_time() <= 0:  # a turn would only claim what can't start
                consumer.report.stop = StopReason.BUDGET
            elif self._stopping:
                consumer.report.stop = self._stopping
            else:
                await consumer.run()

    def _report(self, before: Meter, error: str | None = None) -> Report:
        used = self._store.meter.since(before)
        reports = [consumer.report for consumer in self._consumers]
        outcomes: Counter[str] = Counter()
        for one in reports:
            outcomes.update(one.outcomes)
        stops = [*(one.stop for one in reports), *([self._stopping] if self._stopping else [])]
        report = Report(
            stop=StopReason.STORE if error else gravest(stops),
            queues=reports,
            requests=used.requests,
            commands=used.commands,
            bytes=used.bytes_in + used.bytes_out,
            seconds_used=self._budget.used(),
            seconds_left=self._budget.left(),
            outcomes=outcomes,
            loop_lag=self._keeper.longest_lag if self._keeper else 0.0,
            error=error or next((one.error for one in reports if one.error), None),
        )
        log.info("drained", extra={"report": report.as_dict()})
        return report


def _unlisted_parts(instant: float | None, now: float) -> Sequence[str]:
    """The parts of a queue whose content its agenda entry does not promise to look at."""
    if instant is None:
        return keys.WORK
    held = instant >= keys.NEVER or instant % 1  # a half says that what waits can't run before then
    return keys.FOREIGN if held or instant <= now else keys.CLAIMABLE


def _rotated(due: Sequence[Queue], by: int) -> Sequence[Queue]:
    """The same queues; if more are due than run at a time, another one begins each time, within
    each priority."""
    if len(due) <= OPEN_CONSUMERS:
        return due
    at = by % len(due)
    return sorted([*due[at:], *due[:at]], key=lambda queue: PRIORITIES.index(queue.priority))
