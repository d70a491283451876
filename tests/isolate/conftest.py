"""Isolated jobs: drains of this process with real child processes, in real time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from shared.declare.app import Registry
from shared.declare.queue import JobType
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.drain.report import Report
from shared.isolate import idle
from shared.store import Store
from shared.store.views import JobView
from shared.testing import embedded_store
from tests.support.isolated import app

RunOne = Callable[..., Awaitable[JobView]]


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    """An empty store on the machine's clock; no child is left behind."""
    async with embedded_store() as opened:
        yield opened
        await idle.end_idle()


@pytest.fixture
def drain(store: Store) -> Callable[..., Awaitable[Report]]:
    """Drains the queues of these job types once."""

    async def drain(*types: JobType[Any], budget: float = 30.0) -> Report:
        queues = list({job_type.queue.name: job_type.queue for job_type in types}.values())
        drain = Drain(store, Registry([app]), Budget.of(budget), patience=0)
        return await drain.run(queues)

    return drain


@pytest.fixture
def run_one(drain: Callable[..., Awaitable[Report]]) -> RunOne:
    """Enqueues one job, drains its queue, answers the job as it then stands."""

    async def run_one(job_type: JobType[Any], payload: Any, **options: Any) -> JobView:
        budget = options.pop("budget", 30.0)
        handle = await job_type.enqueue(payload, **options)
        await drain(job_type, budget=budget)
        return await handle.status()

    return run_one
