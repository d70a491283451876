"""The drains of one deployment, as its settings make them. What only enqueues never loads this."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from .config.settings import Settings
from .connect import connect
from .deadletters.retention import trim_dead_letters
from .declare.app import Registry
from .declare.queue import Queue
from .drain.budget import Budget
from .drain.drain import Drain
from .drain.exclusive import process_lock
from .drain.keeper import Keeper
from .drain.report import Report, StopReason
from .drain.shutdown import RunningDrains
from .nudge.hops import Origin
from .observe.log import emit_report
from .store import Store


class Drains:
    """Makes drains and runs them. `store` answers that of the running event loop."""

    def __init__(self, settings: Settings, registry: Registry, store: Callable[[], Store]) -> None:
        self._settings, self._registry, self._store = settings, registry, store
        self._running = RunningDrains()

    async def run(
        self,
        budget: Budget,
        queues: Sequence[Queue] = (),
        *,
        origin: Origin | None = None,
        among: Sequence[Queue] | None = None,
    ) -> Report:
        """One drain, from its start to its report. See `Deployment.drain`."""
        settings = self._settings
        keeper = Keeper(self._open_keeper_store if settings.redis_url else None)
        drain = Drain(
            self._store(),
            self._registry,
            budget,
            lock=process_lock(),
            keeper=keeper,
            origin=origin,
            isolates_suspects=self._registry.references is not None and hasattr(os, "killpg"),
            tells_events=settings.events,
            patience=settings.patience,
            batch=settings.batch,
            sweep_every=settings.sweep_every,
        )
        try:
            with self._running.watch(drain):
                report = await drain.run(queues, among)
                if drain.swept:
                    await self._trim_dead_letters(budget.handler_time())
        finally:
            keeper.stop()
        emit_report(report, settings)
        return report

    def stop(self, reason: StopReason = StopReason.SHUTDOWN) -> None:
        """Stop them, also those that begin later. To be called in their event loop."""
        self._running.stop(reason)

    async def _trim_dead_letters(self, seconds: float) -> None:
        keeps_in_redis = self._settings.archive_url is None
        if keeps_in_redis and seconds > 0:
            await trim_dead_letters(self._store(), self._registry.queues(), seconds=seconds)

    def _open_keeper_store(self) -> Store:
        """A store for the keeper's own event loop."""
        return connect(self._settings)
