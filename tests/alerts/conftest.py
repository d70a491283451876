"""A deployment whose alerts are evaluated on the test's clock, and what its sink was told."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from shared import Retry
from shared.alerts.evaluate import Evaluation, evaluate
from shared.alerts.notice import Notice
from shared.config.alerts import AlertSettings
from shared.jobs.job import Job
from shared.store import Store
from shared.testing import FakeClock
from tests.support.values import Number
from tests.support.world import World


@dataclass
class RecordingSink:
    """A sink. `down`: it can't be reached."""

    name: str = "told"
    notices: list[Notice] = field(default_factory=list)
    down: bool = False

    async def tell(self, notice: Notice) -> bool:
        if not self.down:
            self.notices.append(notice)
        return not self.down

    def take(self) -> list[tuple[str, str, bool]]:
        """(rule, queue, fired) of what was told since the last call."""
        taken = [(one.rule, one.queue, one.fired) for one in self.notices]
        self.notices.clear()
        return taken


class Alerts:
    """Evaluates, and makes work on queue "q". `env`: the environment of the settings."""

    def __init__(self, world: World, told: RecordingSink) -> None:
        self.world, self.told = world, told
        self.env: Mapping[str, str] = {}
        self._broken, self._seconds, self._ids = False, 0.0, itertools.count()
        self.queue = world.app.queue("q", retry=Retry.fixed(attempts=1, wait=1), max_jobs=1000)
        self.other = world.queue("other")
        self.queues = [self.queue, self.other]
        self.queue.job("t")(self._handle)

    async def _handle(self, payload: Number) -> None:
        await self.world.clock.sleep(self._seconds)
        if self._broken:
            raise ValueError("broken")

    async def evaluate(
        self, after: float = 60.0, *, archive_lag: float | None = None, store: Store | None = None
    ) -> Evaluation:
        """One evaluation, so many seconds after what came before."""
        self.world.clock.advance(after)
        return await evaluate(
            store or self.world.store,
            self.queues,
            AlertSettings.from_env(self.env),
            archive_lag=archive_lag,
            sinks=[self.told],
        )

    async def enqueue(self, n: int) -> list[str]:
        """`n` jobs of queue "q", which begin to wait now by the test's clock; their ids."""
        now = datetime.fromtimestamp(self.world.clock.epoch_ms() / 1000, UTC)
        jobs = [self.job(run_at=now) for _ in range(n)]
        await self.world.store.enqueue(self.queue, jobs)
        return [job.id for job in jobs]

    def job(self, **options: Any) -> Job:
        """A job of queue "q" with a new id."""
        return self.queue.types["t"].job(Number(), job_id=f"j{next(self._ids)}", **options)

    async def run(self, n: int, *, broken: bool = False, seconds: float = 0.0) -> None:
        """Enqueue and drain `n` jobs; their handlers take so long, one after the other."""
        self._broken, self._seconds = broken, seconds
        await self.enqueue(n)
        await self.drain()

    async def drain(self) -> None:
        """Drain queue "q", and let one more turn carry what the last one has counted."""
        for _ in range(2):
            await self.world.drain(budget=3600, batch=1, sweep_every=0).run([self.queue])


@pytest.fixture
def clock() -> FakeClock:
    """A clock that starts now: a `run_at` must not be far from the machine's time."""
    return FakeClock(time.time_ns() // 1_000_000)


@pytest.fixture
def told() -> RecordingSink:
    return RecordingSink()


@pytest.fixture
def alerts(world: World, told: RecordingSink) -> Alerts:
    return Alerts(world, told)
