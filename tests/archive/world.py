"""Dead letters, an archive, and its rows as they stand in Postgres."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

import psycopg
from psycopg.rows import dict_row

from shared import App, Discard, Queue
from shared.archive.maintain import MaintainReport
from shared.archive.move import KEEP_SECONDS
from shared.clock import Clock
from shared.declare.app import Registry
from shared.deployment import Deployment
from shared.store import Store
from shared.testing import FakeClock
from tests.scenario.world import settings
from tests.support.turns import Owner, jobs
from tests.support.values import Number


class World:
    """Queues "q" and "other", whose jobs of type "t" die at their first attempt."""

    def __init__(self, store: Store, clock: FakeClock, url: str | None, **options: Any) -> None:
        self.store, self.clock, self.url = store, clock, url
        app = App("letters")
        self.queue, self.other = app.queue("q", **options), app.queue("other")
        for queue in (self.queue, self.other):
            queue.job("t")(_die)
        self.registry = Registry([app])
        self.deployment = self.deployment_at(url)

    def deployment_at(self, url: str | None, *, clock: Clock | None = None) -> Deployment:
        """Another function of the same deployment."""
        chosen = settings(archive_url=url, prefix="test")
        return Deployment(
            chosen, self.registry, clock=clock or self.clock, open_store=lambda: self.store
        )

    async def die(self, *names: str, queue: Queue | None = None, **options: Any) -> None:
        """Jobs of these ids die, now."""
        chosen = queue or self.queue
        await self.store.enqueue(chosen, jobs(*names, **options))
        await self.end(chosen)

    async def end(self, queue: Queue | None = None) -> None:
        """All that waits dies."""
        chosen, owner = queue or self.queue, None
        owner = Owner(self.store, chosen, token_hex(4))
        while claims := await owner.claim(100):
            await owner.finish(*claims, kind="dead")

    async def maintain(self, seconds: float = 60.0, *, age: bool = True) -> MaintainReport:
        """One run, once what died is old enough."""
        if age:
            self.clock.advance(KEEP_SECONDS)
        return await self.deployment.maintain(self.deployment.budget(seconds))

    def rows(self) -> list[dict[str, Any]]:
        """All rows, the oldest death first."""
        assert self.url is not None
        with psycopg.connect(self.url, row_factory=dict_row) as db:
            return db.execute("SELECT * FROM job_failures ORDER BY failed_at, id").fetchall()

    async def dead(self, queue: Queue | None = None) -> list[str]:
        """The ids of the dead letters that Redis has."""
        rows = await self.store.list_jobs(queue or self.queue, "dead", most=10_000)
        return sorted(row.id.partition(".")[0] for row in rows)


async def _die(payload: Number) -> None:
    raise Discard("no")
