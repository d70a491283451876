"""A drain: every queue that has work, in order of urgency, inside one budget. Returns a report."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Sequence
from functools import partial

from ..checks import checked, require
from ..clock import Clock
from ..declare.app import Registry
from ..declare.policy import LONGEST_WINDOW
from ..declare.queue import Queue
from ..errors import StoreError
from ..jobs.job import PRIORITIES
from ..nudge.hops import Origin, drain_of
from ..store import Store, keys
from ..store.meter import Meter
from ..store.schedules import is_schedule
from .budget import Budget
from .chain import Chain
from .consumer import BATCH, Consumer
from .counts import count_drain
from .exclusive import SharedExclusiveLock
from .keeper import Keeper
from .report import Report, StopReason, sum_up
from .resources import DrainResources, new_children

log = logging.getLogger("tidegate.drain")

PATIENCE = 5.0
MOST_BATCH = 1000
SWEEP_EVERY = 300.0
NOW = 1.0
"""Agenda scores below this mean: recount the queue first, inbox included."""
ROUNDING = 0.001
"""Seconds. Ticks in the very rhythm of the sweeps must not miss one by a rounding."""
SOON = 1000
"""Milliseconds by which a held queue is due early. A limited one may take its next token ahead, and
else a token that comes just after each tick would wait for the next."""
OPEN_CONSUMERS = 64
"""Most consumers open at a time. More would wait longer for connections than for the store."""
CONSUMERS = 4
"""Most consumers of one queue in one drain, when it has a backlog: one runs handlers while others
wait for the store. Twice as many would send no more: a process has eight connections."""


class Drain:
    """Drains queues with one store, for one invocation. `isolates_suspects`: suspects run in child
    processes, which must be able to import the applications. `tells_events`: as store/events.py."""

    @checked
    def __init__(  # noqa: PLR0913 - one keyword a part, all but three optional
        self,
        store: Store,
        registry: Registry,
        budget: Budget,
        *,
        lock: SharedExclusiveLock | None = None,
        keeper: Keeper | None = None,
        origin: Origin | None = None,
        isolates_suspects: bool = False,
        tells_events: bool = False,
        patience: float = PATIENCE,
        batch: int = BATCH,
        sweep_every: float = SWEEP_EVERY,
    ) -> None:
        _check_numbers(patience, batch, sweep_every)
        self._store, self._registry, self._budget = store, registry, budget
        self._lock, self._keeper = lock or SharedExclusiveLock(), keeper
        self._patience, self._batch, self._sweep_every = patience, batch, sweep_every
        self._isolates, self._tells_events = isolates_suspects, tells_events
        self._consumers: list[Consumer] = []
        self._stopping: StopReason | None = None
        self._chain = Chain(store, budget, origin)
        self.swept = False  # true after a sweep: the time for what is done now and then

    async def tick(self, among: Sequence[Queue] | None = None) -> Report:
        """Drain the queues that can have work: what a schedule calls. Idle, it is one command, and
        among some queues two: each such tick is a sweep of them. If handlers enqueued jobs, the
        agenda is read again, so those run in the same tick."""
        return await self._drain(None, among)

    async def nudged(self, queues: Sequence[Queue], among: Sequence[Queue] | None = None) -> Report:
        """Drain these queues, which have just become due. Then wait for the end of the nudge's
        window, and drain what has become due meanwhile, among all queues or these."""
        later = self._registry.queues() if among is None else among
        return await self._drain([(queue, False) for queue in queues], later)

    async def run(self, queues: Sequence[Queue]) -> Report:
        """Drain exactly these queues, and recount each of them first. What their handlers enqueue
        on any of them runs, too."""
        return await self._drain([(queue, True) for queue in queues], queues)

    def stop(self, reason: StopReason = StopReason.SHUTDOWN) -> None:
        """Claim nothing more, settle what has ended, give the rest back. To be called in the event
        loop of the drain."""
        self._stopping = reason
        self._chain.stopped.set()
        for consumer in self._consumers:
            consumer.stop(reason)

    async def _drain(
        self, due: Sequence[tuple[Queue, bool]] | None, among: Sequence[Queue] | None = None
    ) -> Report:
        """Round after round, as long as handlers enqueue. `due`: None for what the agenda says.
        `among`: the queues of later rounds."""
        before, continued = self._store.meter.snapshot(), list[str]()
        try:
            with drain_of(self._chain.origin):
                await self._run_rounds(due, among)
                if not self._stopping:
                    reports = [consumer.report for consumer in self._consumers]
                    continued = await self._chain.call_next(self._registry.queues(), reports)
        except StoreError as error:
            return self._report(before, error=str(error))
        return self._report(before, continued)

    async def _run_rounds(
        self, due: Sequence[tuple[Queue, bool]] | None, among: Sequence[Queue] | None
    ) -> None:
        due = await self._due(among, first=True) if due is None else due
        while due:
            enqueued = _enqueue_commands(self._store)
            await self._consume_all(due)
            due = await self._due(among) if await self._goes_on(enqueued) else []

    async def _goes_on(self, enqueued: int) -> bool:
        """Whether another round may find work: handlers enqueued, or the window of the nudge has
        ended. `enqueued`: what enqueues had cost before this round."""
        if not self._may_go_on():
            return False
        again = _enqueue_commands(self._store) > enqueued or await self._chain.wait_for_window()
        return again and self._may_go_on()

    def _may_go_on(self) -> bool:
        failed = any(consumer.report.error for consumer in self._consumers)
        return not self._stopping and not failed and self._budget.handler_time() > 0

    async def _due(
        self, among: Sequence[Queue] | None = None, *, first: bool = False
    ) -> list[tuple[Queue, bool]]:
        """The queues that are due, most urgent first, each with whether to recount it first.
        `among` limits them; None means all. `first`: it is the tick's first look.

        A process's first tick, one every `sweep_every` seconds, and each limited one is a sweep: it
        looks for lost entries and foreign records in the queues: a command or two more."""
        queues = self._registry.queues() if among is None else among
        fresh = self._store.swept_at is None
        every, sweeping = self._sweep_every, bool(queues) and (among is None or first)
        if sweeping:
            sweeping = every > 0 if among else _begin_sweep(self._store, self._budget.clock, every)
        self.swept = self.swept or (sweeping and among is None)
        agenda = await self._store.agenda()
        skew = self._store.rest.skew_ms()  # known by now: a reply came
        now = self._budget.clock.epoch_ms() + skew
        resync = {name: at < NOW for name, at in agenda.items() if at - SOON * (at % 1 > 0) <= now}
        if self._registry.schedules or (sweeping and any(map(is_schedule, agenda))):
            where, whole = (self._store, self._registry, queues), sweeping and among is None
            fired = await _fire(*where, agenda, int(now), sweeping=whole)
            resync = dict.fromkeys(fired, False) | resync
        if sweeping:
            parts = {q.name: _unlisted_parts(agenda.get(q.name), now, first=fresh) for q in queues}
            resync |= dict.fromkeys(await self._store.find_work(parts), True)
        due = [queue for queue in queues if queue.name in resync]
        suspects = self._store.suspects
        order = sorted(_rotated(due, int(now)), key=lambda queue: queue.name not in suspects)
        return [(queue, resync[queue.name]) for queue in order]

    async def _consume_all(self, due: Sequence[tuple[Queue, bool]]) -> None:
        if self._stopping:
            return
        resources = DrainResources(
            store=self._store,
            find_queue=self._registry.queue,
            lock=self._lock,
            batch=self._batch,
            patience=self._patience,
            keeper=self._keeper,
            new_children=partial(new_children, self._store, self._registry, self._budget),
            isolates_suspects=self._isolates,
            tells_events=self._tells_events,
        )
        opened, places = Counter[str](), asyncio.Semaphore(OPEN_CONSUMERS)
        async with asyncio.TaskGroup() as group:

            def open_consumer(queue: Queue, *, resync: bool = False) -> None:
                if opened[queue.name] == CONSUMERS:
                    return
                opened[queue.name] += 1
                consumer = Consumer(
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

    def _report(
        self, before: Meter, continued: Sequence[str] = (), *, error: str | None = None
    ) -> Report:
        report = sum_up(
            [consumer.report for consumer in self._consumers],
            self._stopping,
            self._store.meter.since(before),
            self._budget,
            loop_lag=self._keeper.longest_lag if self._keeper else 0.0,
            continued=continued,
            error=error,
        )
        log.info("drained", extra={"report": report.as_dict()})
        return count_drain(self._store, report)


def _begin_sweep(store: Store, clock: Clock, every: float) -> bool:
    """True if this tick is a sweep. The process remembers its last one, so this holds for any
    rhythm of ticks."""
    now, last = clock.monotonic(), store.swept_at
    passed = math.inf if last is None else now - last + ROUNDING
    if not every or passed < every:
        return False
    store.swept_at = now
    return True


async def _fire(
    store: Store,
    registry: Registry,
    queues: Sequence[Queue],
    agenda: dict[str, float],
    now: int,
    *,
    sweeping: bool,
) -> list[str]:
    """Enqueue what schedules have due on these queues; those that got jobs. A sweep adds and
    removes schedules as the code declares them."""
    from ..schedules.fire import fire  # noqa: PLC0415 - cold start: most deployments have none
    from ..schedules.reconcile import reconcile  # noqa: PLC0415 - as above

    if sweeping:
        await reconcile(store, registry.schedules, registry.apps, agenda, now)
    reached = {queue.name for queue in queues}
    schedules = [one for one in registry.schedules if one.job_type.queue.name in reached]
    return [queue.name for queue in await fire(store, schedules, agenda, now)]


def _unlisted_parts(instant: float | None, now: float, *, first: bool) -> Sequence[str]:
    """The parts of a queue whose content its agenda entry does not promise to look at. `first`: of
    this process, whose limits of keys may be others than those of the entry's turn."""
    if instant is None:
        return keys.WORK
    backlogs = keys.BACKLOGS if first else ()
    held = instant >= keys.NEVER or instant % 1  # a half says that what waits can't run before then
    return (*(keys.FOREIGN if held or instant <= now else keys.CLAIMABLE), *backlogs)


def _rotated(due: Sequence[Queue], by: int) -> Sequence[Queue]:
    """The same queues; if more are due than run at a time, another one begins each time, within
    each priority."""
    if len(due) <= OPEN_CONSUMERS:
        return due
    at = by % len(due)
    return sorted([*due[at:], *due[:at]], key=lambda queue: PRIORITIES.index(queue.priority))


def _check_numbers(patience: float, batch: int, sweep_every: float) -> None:
    ok = 0 <= patience <= LONGEST_WINDOW
    require(ok, f"Drain: patience={patience}: choose 0 to {LONGEST_WINDOW:.0f} seconds")
    require(1 <= batch <= MOST_BATCH, f"Drain: batch={batch}: choose 1 to {MOST_BATCH} jobs")
    require(0 <= sweep_every <= 86_400, f"Drain: sweep_every={sweep_every}: choose 0 to 86400")


def _enqueue_commands(store: Store) -> int:
    """Commands that this process's enqueues have cost so far."""
    return store.meter.by_verb.get("enqueue", 0)
