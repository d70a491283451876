"""One deployment: settings, applications, store and clock. Every door of Tidegate (functions, HTTP,
command line) gets one, and its drains, queues and jobs from there."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from .clock import Clock, SystemClock
from .config.settings import Settings
from .connect import connect, erase_rows
from .declare.app import Registry
from .declare.default_store import set_default_archive, set_default_store
from .declare.queue import Queue
from .drain.budget import Budget
from .errors import ConfigurationError, JobNotFound, NoArchive, StoreError
from .jobs.ids import split_id
from .jobs.redact import keep_secret
from .nudge.hops import Origin
from .nudge.nudge import Nudge
from .store import Store
from .store.loops import PerLoop

if TYPE_CHECKING:
    from .archive.archive import Archive
    from .archive.maintain import MaintainReport, Maintenance
    from .drain.report import Report
    from .drains import Drains

log = logging.getLogger("tidegate.alerts")

MOST_QUEUES = 3
"""Queues that the answer to an id without one names."""


class Deployment:
    """What one process serves. Making it contacts nothing. `nudge`: what calls a drain in this
    process, in place of the configured way. `drained`: the billed commands of its drains so far."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        *,
        clock: Clock | None = None,
        open_store: Callable[[], Store] | None = None,
        nudge: Nudge | None = None,
    ) -> None:
        self.settings, self.registry = settings, registry
        self.clock = clock or SystemClock()
        self._maintenance: Maintenance | None = None
        self.drained = 0
        keep_secret(
            [settings.redis_token, settings.cache_token, settings.cron_secret, *settings.api_tokens]
        )
        self._stores = PerLoop(
            open_store or functools.partial(connect, settings, clock=clock, nudge=nudge)
        )

    @classmethod
    def from_env(cls) -> Deployment:
        """The deployment that the environment describes. Raises ConfigurationError."""
        settings = Settings.from_env()
        return cls(settings, Registry.load(settings.apps))

    @property
    def store(self) -> Store:
        """The store of the running event loop, opened when first asked for."""
        return self._stores.get()

    def make_default(self) -> None:
        """Have `job_type.enqueue(…)` use this deployment's store."""
        set_default_store(self._stores.get)
        set_default_archive(functools.partial(erase_rows, self.settings))

    @functools.cached_property
    def drains(self) -> Drains:
        """The drains of this deployment."""
        from .drains import Drains  # noqa: PLC0415 - what only enqueues starts without them

        return Drains(self.settings, self.registry, self._stores.get)

    def budget(self, seconds: float) -> Budget:
        """A budget of `seconds` from now, on this deployment's clock."""
        return Budget.of(seconds, clock=self.clock)

    async def drain(
        self,
        budget: Budget,
        queues: Sequence[Queue] = (),
        *,
        origin: Origin | None = None,
        among: Sequence[Queue] | None = None,
    ) -> Report:
        """Drain these queues or, without any, those that are due. SIGTERM ends it early. `origin`:
        what a platform started it for; None: it calls no other drain. `among`: the queues
        among which a tick, or a nudged drain that goes on, looks for work; None: all."""
        report = await self.drains.run(budget, queues, origin=origin, among=among)
        self.drained += report.commands
        return report

    async def maintain(self, budget: Budget) -> MaintainReport:
        """Evaluate the alerts, move dead letters into the archive, and delete its old rows, inside
        the budget. The alerts come first: one of them tells of an archive that takes all the time.
        """
        if self._maintenance is None:
            from .archive.maintain import Maintenance  # noqa: PLC0415 - no drain needs it

            self._maintenance = Maintenance(self.settings.archive_url, self.settings.archive_days)
        kept: Mapping[str, int] = {}
        try:
            async with asyncio.timeout(budget.handler_time() / 2):
                kept = await self.evaluate_alerts()
        except (TimeoutError, StoreError, ConfigurationError) as error:  # the next run does it
            log.warning("alerts_not_evaluated", extra={"error": str(error)})
        report = await self._maintenance.run(self.store, self.registry.queues(), budget)
        if report.tally.removed and report.error is None:
            await self._keep_lag(kept)
        return report

    async def _keep_lag(self, kept: Mapping[str, int]) -> None:
        """Keep for metrics what this run has left."""
        from .archive.lag import keep_oldest  # noqa: PLC0415 - no drain needs it

        queues = self.registry.queues()
        with suppress(StoreError):  # the next run keeps it
            left = await self.store.deaths.oldest(queues)
            await keep_oldest(self.store, queues, kept, left.by_queue)

    async def evaluate_alerts(self) -> Mapping[str, int]:
        """Evaluate the alerts once, tell what has changed, and keep the archive's lag for metrics.
        Queue → the instant of its oldest dead letter that is not in the archive. Raises StoreError
        and ConfigurationError."""
        from .alerts.evaluate import evaluate  # noqa: PLC0415 - no drain needs it
        from .archive.lag import keep_oldest, lags  # noqa: PLC0415 - as above
        from .config.alerts import AlertSettings  # noqa: PLC0415 - as above

        store, queues, oldest, lag = self.store, self.registry.queues(), None, None
        if self.settings.archive_url is not None:
            oldest = await store.deaths.oldest(queues)
            lag = max(lags(oldest).values(), default=0.0)
        done = await evaluate(store, queues, AlertSettings.from_env(), archive_lag=lag)
        kept = {one.queue.name: one.unarchived_ms for one in done.queues if one.unarchived_ms}
        found = oldest.by_queue if oldest else {}
        await keep_oldest(store, queues, kept, found)
        return found

    @asynccontextmanager
    async def open_archive(self) -> AsyncIterator[Archive]:
        """The archive, over a connection for the block. Raises NoArchive where there is none,
        ArchiveError (also where too many wait for it) and MissingExtra."""
        from .archive.archive import open_archive  # noqa: PLC0415 - no drain needs it
        from .archive.places import place  # noqa: PLC0415 - as above

        settings = self.settings
        if settings.archive_url is None:
            raise NoArchive
        days = settings.archive_days
        async with (
            place(),
            open_archive(settings.archive_url, settings.prefix, self.clock, days) as archive,
        ):
            yield archive

    def stop(self) -> None:
        """Stop the drains, also those that begin later. To be called in their event loop."""
        self.drains.stop()

    def queues(self, names: Sequence[str] = ()) -> list[Queue]:
        """The queues of these names, or all of them. Raises UnknownQueue."""
        return [self.registry.queue(name) for name in names] or self.registry.queues()

    def locate(self, job_id: str) -> tuple[Queue, str]:
        """The queue of a public id and the id within it. Raises JobNotFound, UnknownQueue."""
        parts = split_id(job_id)
        if parts is None:
            raise JobNotFound(self._no_id(job_id))
        return self.registry.queue(parts[1]), parts[0]

    def _no_id(self, text: str) -> str:
        """What is wrong with a text that is no job id."""
        names = [queue.name for queue in self.registry.queues()]
        if "." not in text and names and split_id(f"{text}.{names[0]}"):
            ids = " or ".join(f"{text}.{name}" for name in names[:MOST_QUEUES])
            return f"{text[:80]!r} has no queue; a job id ends with it: {ids}"
        return f"{text[:80]!r} is no job id; an enqueue answers one, such as order-7.orders"

    async def close(self) -> None:
        """Close the connections of the running event loop."""
        await self._stores.close()


@functools.cache
def environment_stores() -> PerLoop[Store]:
    """Stores as the environment describes them, for programs that only enqueue."""
    return PerLoop(lambda: connect(Settings.from_env()))
