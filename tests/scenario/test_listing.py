"""Jobs are listed by their state, page by page, without their payloads."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.jobs.job import Job
from shared.store import Store
from tests.scenario.world import World
from tests.support.client import Client
from tests.support.values import Number

SECRET = "text-of-a-payload"


async def listed(api: Client, state: str, **query: Any) -> list[Any]:
    answer = await api.get("/api/v1/jobs", params={"state": state, **query})
    assert answer.status_code == 200, answer.text
    assert SECRET not in answer.text
    jobs: list[Any] = answer.json()["jobs"]
    assert {job["state"] for job in jobs} <= {state}
    return jobs


async def test_a_job_is_listed_in_the_state_that_it_shows(api: Client, world: World) -> None:
    @world.odd.job("start")
    async def start(payload: Number) -> None:
        world.started.set()
        await world.release.wait()

    ids = {
        "completed": await api.enqueue(),
        "dead": await api.enqueue("fail", attempts=1, key="ann"),
        "active": await api.enqueue("start", queue="odd", job_id="own"),
        "cancelled": await api.enqueue(delay=60),
        "delayed": await api.enqueue(delay=60, priority="low"),
    }
    await api.delete(f"/api/v1/jobs/{ids['cancelled']}")
    await world.store.enqueue(world.slow_queue, [Job("no-such-type", "{}", id="parked")])
    ids["parked"] = "parked.slow"
    tick = asyncio.create_task(api.tick())
    await world.started.wait()
    await api.tick("?queue=work,slow")
    ids["waiting"] = await api.enqueue(queue="slow", key="bob")

    for state, job_id in ids.items():
        (job,) = [job for job in await listed(api, state) if job["id"] == job_id]
        shown = await api.job(job_id)
        assert job == {name: shown[name] for name in job}

    world.release.set()
    await tick


async def test_waiting_jobs_come_in_the_order_of_their_claims(api: Client) -> None:
    for n, priority in enumerate(["low", "normal", "high", "low", "high"]):
        await api.enqueue(job_id=f"{priority}{n}", priority=priority)

    ids = [job["id"].partition(".")[0] for job in await listed(api, "waiting")]

    assert ids == ["high2", "high4", "normal1", "low0", "low3"]


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
@pytest.mark.parametrize(
    ("state", "options"), [("waiting", {}), ("delayed", {"delay": 60}), ("completed", {})]
)
async def test_pages_hold_every_job_of_all_queues_once(
    api: Client, limit: int, state: str, options: dict[str, Any]
) -> None:
    ids = {await api.enqueue(**options) for _ in range(3)}
    ids |= {await api.enqueue(queue="slow", **options)}
    if state == "completed":
        await api.tick()
    query: dict[str, str | int] = {"state": state, "limit": limit}
    seen, pages = list[str](), 0
    while True:
        page = (await api.get("/api/v1/jobs", params=query)).json()
        assert len(page["jobs"]) <= limit
        seen += [job["id"] for job in page["jobs"]]
        pages += 1
        if page["next"] is None:
            break
        query["cursor"] = page["next"]

    assert sorted(seen) == sorted(ids)
    assert pages <= len(ids) // limit + 2


async def test_a_list_costs_a_bounded_number_of_commands(api: Client, store: Store) -> None:
    for n in range(150):
        await api.enqueue(job_id=f"j{n}", priority=("high", "normal", "low")[n % 3])
    await listed(api, "waiting")  # the store has the script from now on
    before = store.meter.snapshot()

    assert len(await listed(api, "waiting", limit=100, queue="work")) == 100

    used = store.meter.since(before)
    assert (used.requests, used.commands) == (1, 7)  # the script, 3 LLEN and 2 LRANGE, one HMGET


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({}, "state"),
        ({"state": "running"}, "state"),
        ({"state": "waiting", "cursor": "x"}, "cursor"),
        ({"state": "waiting", "cursor": "work:-1"}, "cursor"),
        ({"state": "waiting", "cursor": "work:" + "9" * 400}, "cursor"),
        ({"state": "waiting", "cursor": "nowhere:1"}, "cursor"),
        ({"state": "waiting", "limit": "0"}, "limit"),
        ({"state": "waiting", "limit": "201"}, "limit"),
        ({"state": "waiting", "stat": "x"}, "unknown parameter 'stat'"),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused(
    api: Client, query: dict[str, str], named: str
) -> None:
    answer = await api.get("/api/v1/jobs", params=query)

    problem = answer.json()
    assert answer.status_code == 422
    assert named in problem["detail"]
    fields = [one["field"] for one in problem.get("errors", [])]
    assert fields == [named] * (named in ("state", "cursor"))


async def test_a_list_without_a_state_says_that_the_query_needs_one(api: Client) -> None:
    problem = (await api.get("/api/v1/jobs")).json()

    assert problem["title"] == "The request does not fit"
    assert problem["detail"].startswith("the query needs state: one of waiting, ")


async def test_a_damaged_record_is_listed_and_hides_no_other(api: Client, world: World) -> None:
    await api.enqueue(job_id="good")
    await api.enqueue(job_id="bad")
    await world.probe.seed("work", {"records": {"bad": "no header"}})

    jobs = {job["id"]: job["type"] for job in await listed(api, "waiting")}

    assert jobs == {"good.work": "double", "bad.work": None}
