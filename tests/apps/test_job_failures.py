"""A permanent failure of each application: a dead letter in Redis, then a row of `job_failures` in
Postgres."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row
from pydantic import BaseModel

from functions.apps import APPS
from functions.demo.workloads import app_names
from shared.archive.move import KEEP_SECONDS
from shared.declare.app import Registry
from shared.declare.queue import JobType
from shared.deployment import Deployment
from shared.testing import FakeClock, run_job
from tests.scenario.world import settings
from tests.support.world import World

from .cases import CASES, EACH, fill_trades
from .outside import failing


def test_each_application_that_the_demonstration_shows_has_a_case() -> None:
    modules = {job_type.handler.__module__ for job_type, *_ in CASES}
    assert {module.split(".")[2] for module in modules} == set(app_names())


@EACH
async def test_a_permanent_failure_is_a_dead_letter_and_a_row_of_job_failures(
    world: World, folder: Path, clock: FakeClock, empty_postgres: str,
    job_type: JobType[Any], payload: BaseModel, provider: str,
) -> None:  # fmt: skip
    fill_trades(folder)
    queue, chosen = job_type.queue, settings(archive_url=empty_postgres, prefix="test")
    deployment = Deployment(chosen, Registry(APPS), clock=clock, open_store=lambda: world.store)

    with failing(provider, lambda _request: httpx.Response(503)):
        died = await run_job(world.store, job_type, payload, clock=clock)
    letters = await world.store.list_jobs(queue, "dead", most=10)
    clock.advance(KEEP_SECONDS)
    report = await deployment.maintain(deployment.budget(60))
    left = await world.store.list_jobs(queue, "dead", most=10)

    assert (died.state, [letter.id for letter in letters]) == ("dead", [died.id])
    assert (report.stop, report.tally.archived, left) == ("done", 1, [])
    with psycopg.connect(empty_postgres, row_factory=dict_row) as db:
        (row,) = db.execute("SELECT * FROM job_failures").fetchall()
    assert (row["queue_name"], row["job_type"]) == (queue.name, job_type.name)
    assert row["job_id"] == died.id
    assert (row["attempts"], row["error_type"]) == (job_type.retry.attempts, "HTTPStatusError")
