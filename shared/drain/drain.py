"""A drain: every queue that has work, in order of urgency, inside one budget. Returns a report."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial

from ..declare.app import Registry
from ..declare.queue import Queue
from ..errors import StoreError
from ..nudge.hops import Origin, drain_of
from ..store import Store, keys
from ..store.counters import ANY, COMMANDS, STOP
from ..store.meter import Meter
from ..store.schedules import is_schedule
from .budget import Budget
from .chain import Chain
from .consumer import BATCH, Consumer
from .exclusive import SharedExclusiveLock
from .keeper import Keeper
from .places import Due, Places
from .report import Report, StopReason, sum_up
from .resources import DrainResources, new_children
from .stopped import find_stopped

log = logging.getLogger("tidegate.drain")

PATIENCE = 5.0
SWEEP_EVERY = 300.0
NOW = 1.0
"""Agenda scores below this mean: recount the queue first, inbox included."""
ROUNDING = 0.001
"""Seconds. Ticks in the very rhythm of the sweeps must not miss one by a rounding."""
SOON = 1000
"""Milliseconds before its instant at which a queue whose jobs are held back is drained. Its turn
may take a token ahead of its time; else one that comes just after a tick would wait for the next.
"""
CONSUMERS = 4
"""Most consumers of one queue in one drain, when it has a backlog: one runs handlers while others
wait for the store. Twice as many would send no more: a process has eight connections."""
FIRING_SHARE = 5
"""What part of its time a drain enqueues the jobs of schedules: a fifth, before it runs any. What
is left then is for the next tick, and no number of schedules keeps a tick from its jobs."""
_FAILED = (StopReason.ERROR, StopReason.STORE)


class Drain:
    """Drains queues with one store; make one for each invocation. `origin`: what a platform started
    it for; None: it calls no other drain. `isolates_suspects`: suspects run in child processes that
    can import the applications. `tells_events`: as store/events.py. Settings check the numbers."""

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
        self._store, self._registry, self._budget = store, registry, budget
        self._keeper, self._origin, self._sweep_every = keeper, origin, sweep_every
        self._open_resources = partial(
            DrainResources,
            store=store,
            find_queue=registry.queue,
            lock=lock or SharedExclusiveLock(),
            batch=batch,
            patience=patience,
            keeper=keeper,
            new_children=partial(new_children, store, registry, budget),
            isolates_suspects=isolates_suspects,
            tells_events=tells_events,
        )
        self._consumers: list[Consumer] = []
        self._stopping: StopReason | None = None
        self._chain: Chain | None = None
        if origin is not None and store.nudges is not None:
            self._chain = Chain(store, store.nudges, budget, nudged=origin.nudged)
        self.swept = False  # true after a sweep: the time for what is done now and then

    async def tick(self, among: Sequence[Queue] | None = None) -> Report:
        """Drain the queues that can have work: what a schedule calls. Idle, it is one command.
        `among`: only these; idle, that is two: each such tick is a sweep of them."""
        return await self.run((), among)

    async def run(
        self, queues: Sequence[Queue] = (), among: Sequence[Queue] | None = None
    ) -> Report:
        """Drain these queues or, without any, those that can have work, of all or `among`. What
        their handlers enqueue on any of them runs, too.

        Each queue is recounted first, except by a nudged drain: it has just become due. That one
        also waits for the end of the nudge's window, and drains what has become due meanwhile,
        among all queues or `among`.
        """
        nudged = self._origin is not None and self._origin.nudged
        if queues and (among is None or not nudged):
            among = self._registry.queues() if nudged else queues
        due = [(queue, not nudged) for queue in queues]
        before, continued = self._store.meter.snapshot(), list[str]()
        passes_hops = nudged or self._store.nudges is not None
        try:
            with drain_of(self._origin) if passes_hops else nullcontext():
                await self._run_rounds(due or await self._due(among, first=True), among)
                if self._chain is not None and not self._stopping:
                    reports = [consumer.report for consumer in self._consumers]
                    continued = await self._chain.call_next(self._registry.queues(), reports)
        except StoreError as error:
            return self._report(before, error=str(error))
        return self._report(before, continued)

    def stop(self, reason: StopReason = StopReason.SHUTDOWN) -> None:
        """Claim nothing more, settle what has ended, give the rest back. To be called in the event
        loop of the drain."""
        self._stopping = reason
        if self._chain is not None:
            self._chain.stopped.set()
        for consumer in self._consumers:
            consumer.stop(reason)

    async def _run_rounds(self, due: Sequence[Due], among: Sequence[Queue] | None) -> None:
        """Round after round, as long as there may be work. `among`: the queues of later rounds;
        None: all. A queue that failed has no other round."""
        costs = self._store.meter.by_verb
        while due and not self._stopping:
            enqueued = costs.get("enqueue", 0)
            await self._consume_all(due)
            again = await self._goes_on(has_enqueued=costs.get("enqueue", 0) > enqueued)
            due = await self._due(among) if again else []

    async def _goes_on(self, *, has_enqueued: bool) -> bool:
        """Whether another round may find work: handlers enqueued, or the window of the nudge has
        ended."""
        failed = all(consumer.report.error for consumer in self._consumers)
        if failed or self._stopping or self._budget.handler_time() <= 0:
            return False
        if has_enqueued:
            return True
        waited = self._chain is not None and await self._chain.wait_for_window()
        return waited and not self._stopping and self._budget.handler_time() > 0

    async def _due(self, among: Sequence[Queue] | None = None, *, first: bool = False) -> list[Due]:
        """The queues that are due, each with whether to recount it first. `among`: only these;
        None means all. `first`: it is the tick's first look.

        A process's first tick, one every `sweep_every` seconds, and each limited one is a sweep: it
        looks for lost entries and foreign records in the queues: a command or two more."""
        store, clock = self._store, self._budget.clock
        queues = self._registry.queues() if among is None else among
        passed = clock.monotonic() - store.sweeps.at + ROUNDING
        is_time = first if among is not None else passed >= self._sweep_every
        sweeping = bool(queues) and is_time and self._sweep_every > 0
        whole = sweeping and among is None
        if whole:
            store.sweeps.at = clock.monotonic()
        agenda = await store.agenda()
        now = clock.epoch_ms() + store.rest.skew_ms()  # known: a reply came
        store.sweeps.note(now)
        resync = {name: at < NOW for name, at in agenda.items() if at - SOON * (at % 1 > 0) <= now}
        if self._registry.schedules or (sweeping and any(map(is_schedule, agenda))):
            end = clock.monotonic() + self._budget.handler_time() / FIRING_SHARE
            goes_on = partial(self._may_fire, end)
            fired = await _fire(
                store, self._registry, queues, agenda, int(now), sweeping=whole, goes_on=goes_on
            )
            resync = dict.fromkeys(fired, False) | resync
        if sweeping:
            resync |= dict.fromkeys(await _find_unlisted(store, queues, agenda, now), True)
            self.swept = whole
        left = resync.keys() - {one.report.queue for one in self._consumers if one.report.error}
        return [(queue, resync[queue.name]) for queue in queues if queue.name in left]

    def _may_fire(self, end: float) -> bool:
        return not self._stopping and self._budget.clock.monotonic() < end

    async def _consume_all(self, due: Sequence[Due]) -> None:
        resources = self._open_resources()
        opened, clock = Counter[str](), self._budget.clock
        places = Places(due, self._store.suspects, by=clock.epoch_ms())
        async with asyncio.TaskGroup() as group:

            def open_consumer(queue: Queue, *, resync: bool = False) -> None:
                if opened[queue.name] == CONSUMERS:
                    return
                opened[queue.name] += 1
                more = partial(open_consumer, queue)
                consumer = Consumer(queue, self._budget, resources, resync=resync, on_backlog=more)
                self._consumers.append(consumer)
                group.create_task(self._consume(consumer, places))

            for queue, resync in places.line:
                open_consumer(queue, resync=resync)
        await resources.close()

    async def _consume(self, consumer: Consumer, places: Places) -> None:
        async with places.place(consumer.report.queue):
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
        level = logging.WARNING if report.stop in _FAILED else logging.INFO
        log.log(level, "drained", extra={"report": report.as_dict()})
        _count(self._store, report)
        return report


def _count(store: Store, report: Report) -> None:
    """Count the drain for metrics, as the next turns carry it."""
    store.uncounted[ANY][COMMANDS] += report.commands
    for queue, entry in report.by_queue.items():
        store.uncounted[queue][STOP + entry["stop"]] += 1


async def _fire(
    store: Store,
    registry: Registry,
    queues: Sequence[Queue],
    agenda: dict[str, float],
    now: int,
    *,
    sweeping: bool,
    goes_on: Callable[[], bool],
) -> list[str]:
    """Enqueue what schedules have due on these queues, while it `goes_on`; those that got jobs. A
    sweep adds and removes schedules as the code declares them."""
    from ..schedules.fire import fire  # noqa: PLC0415 - cold start: most deployments have none
    from ..schedules.reconcile import reconcile  # noqa: PLC0415 - as above

    if sweeping:
        await reconcile(store, registry.schedules, registry.apps, agenda, now)
    reached = {queue.name for queue in queues}
    schedules = [one for one in registry.schedules if one.job_type.queue.name in reached]
    return [queue.name for queue in await fire(store, schedules, agenda, now, goes_on=goes_on)]


async def _find_unlisted(
    store: Store, queues: Sequence[Queue], agenda: dict[str, float], now: float
) -> list[str]:
    """These queues' names that have work which the agenda does not promise to look at."""
    seen = store.sweeps.queues
    parts = {
        name: _unlisted_parts(agenda.get(name), now, first=name not in seen)
        for name in (queue.name for queue in queues)
    }
    found = await store.find_work(parts)
    seen.update(parts)
    return [*found, *await find_stopped(store, parts, agenda, now)]


def _unlisted_parts(instant: float | None, now: float, *, first: bool) -> Sequence[str]:
    """The parts of a queue whose content its agenda entry does not promise to look at. `first`: of
    this process, whose limits of keys may be others than those of the entry's turn."""
    if instant is None:
        return keys.WORK
    backlogs = keys.BACKLOGS if first else ()
    held = instant >= keys.NEVER or instant % 1  # a half says that what waits can't run before then
    return (*(keys.FOREIGN if held or instant <= now else keys.CLAIMABLE), *backlogs)
