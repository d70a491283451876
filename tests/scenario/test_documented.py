"""The paths that the requirement documents name, each field as their examples show it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from shared.access.rights import ROLES
from shared.store import Store
from shared.testing import FakeClock
from tests.scenario.tokens import ROOT, TokenShop
from tests.scenario.world import Client, World
from tests.support.turns import Owner

DASHBOARD = "/api/queue/dashboard"
FAILED = "/api/v1/admin/failed-jobs"


async def one_of_each(api: Client, clock: FakeClock) -> dict[str, str]:
    """A completed, a failed, a delayed and a waiting job; state -> id."""
    ids = {"completed": await api.enqueue(n=1), "failed": await api.enqueue("fail", attempts=1)}
    await api.tick()
    ids["delayed"] = await api.enqueue(delay=60)
    ids["waiting"] = await api.enqueue()
    clock.advance(5)
    return ids


async def test_job_stats_have_the_shape_of_the_documents_application(
    api: Client, clock: FakeClock
) -> None:
    await one_of_each(api, clock)

    answer = (await api.get("/api/jobs/stats")).json()

    assert set(answer) == {"success", "mode", "stats", "timestamp"}
    assert answer["success"] is True
    assert answer["stats"] == {
        "waiting": 1, "active": 0, "completed": 1, "failed": 1, "delayed": 1, "total": 4,
    }  # fmt: skip
    now = datetime.fromtimestamp(clock.epoch_ms() / 1000, UTC)
    assert datetime.fromisoformat(answer["timestamp"]) == now


async def test_a_job_has_the_shape_of_the_documents_application(
    api: Client, clock: FakeClock
) -> None:
    ids = await one_of_each(api, clock)

    answers = {state: (await api.get(f"/api/jobs/{ids[state]}")).json() for state in ids}

    assert all(answer["success"] is True for answer in answers.values())
    jobs = {state: answer["job"] for state, answer in answers.items()}
    fields = {"id", "name", "status", "progress", "createdAt", "updatedAt", "attempts"}
    assert all(set(job) == fields for job in jobs.values())
    assert {state: job["status"] for state, job in jobs.items()} == {state: state for state in ids}
    assert {state: job["id"] for state, job in jobs.items()} == ids
    done = jobs["completed"]
    assert (done["name"], done["progress"], done["attempts"]) == ("double", 50, 1)
    assert done["createdAt"] <= done["updatedAt"]
    assert jobs["waiting"]["attempts"] == 0


async def test_a_running_job_is_running_and_in_its_first_attempt(
    api: Client, world: World, store: Store, clock: FakeClock
) -> None:
    job_id = await api.enqueue("gate")
    await Owner(store, world.work).claim()
    clock.advance(5)

    job = (await api.get(f"/api/jobs/{job_id}")).json()["job"]

    assert (job["status"], job["attempts"], job["progress"]) == ("running", 1, 0)
    assert (await api.get("/api/jobs/none.work")).status_code == 404


async def test_failed_jobs_are_rows_of_the_table_that_the_document_describes(
    api: Client, as_role: Callable[[str | None], Client], clock: FakeClock
) -> None:
    failed = (await one_of_each(api, clock))["failed"]

    answer = (await api.get(FAILED)).json()
    shown = (await api.get(f"{FAILED}/{failed}")).json()
    hidden = (await as_role("viewer").get(f"{FAILED}/{failed}")).json()

    (row,) = answer["failed_jobs"]
    assert row == {**shown, "job_data": None} == hidden
    assert set(row) == {
        "id", "queue_name", "job_id", "job_data", "error_message", "failed_at", "attempts",
    }  # fmt: skip
    assert (row["queue_name"], row["job_id"], row["attempts"]) == ("work", failed, 1)
    assert row["error_message"] == "no file number 1"
    assert shown["job_data"] == {"n": 1}
    assert datetime.fromisoformat(row["failed_at"]).timestamp() * 1000 <= clock.epoch_ms()


async def test_failed_jobs_are_filtered_paged_and_retried(
    api: Client, world: World, clock: FakeClock
) -> None:
    for n in range(3):
        await api.enqueue("fail", n=n, attempts=1)
    await api.tick()

    first = (await api.get(f"{FAILED}?queue=work&limit=2")).json()
    rest = (await api.get(f"{FAILED}?queue=work&limit=2&cursor={first['next']}")).json()
    none = (await api.get(f"{FAILED}?error=nothing-like-it")).json()
    ids = [row["id"] for row in first["failed_jobs"] + rest["failed_jobs"]]
    world.broken = False
    retried = (await api.post(f"{FAILED}/{ids[0]}/retry")).json()
    await api.tick()

    assert len(set(ids)) == 3
    assert none["failed_jobs"] == []
    assert retried == {"id": ids[0], "redriven": True, "state": None}
    assert (await api.job(ids[0]))["state"] == "completed"
    assert (await api.get(f"{FAILED}/{ids[0]}")).status_code == 404


async def test_queue_health_has_the_fields_of_the_tasks_application(
    api: Client, clock: FakeClock
) -> None:
    await one_of_each(api, clock)
    await api.post("/api/v1/queues/odd/pause")

    answer = (await api.get("/api/v1/health/queues")).json()

    assert answer["status"] == "paused"
    assert set(answer["queues"]) == {"work", "slow", "odd"}
    assert answer["queues"]["work"] == {
        "waiting": 1, "active": 0, "completed": 1, "failed": 1, "delayed": 1,
        "isPaused": False, "status": "ok",
    }  # fmt: skip
    assert answer["queues"]["odd"]["isPaused"] is True
    clock.advance(400)
    assert (await api.get("/api/v1/health/queues")).json()["status"] == "behind"


async def test_the_dashboard_tells_counts_and_the_metrics_of_each_queue(
    api: Client, clock: FakeClock
) -> None:
    await one_of_each(api, clock)

    answer = (await api.get(DASHBOARD)).json()

    assert answer == (await api.get(f"{DASHBOARD}?format=json")).json()
    assert answer["totals"]["total"] == 4
    assert [queue["name"] for queue in answer["queues"]] == ["work", "slow", "odd"]
    metrics = answer["queues"][0]["metrics"]
    assert (metrics["processed"], metrics["failed"]) == (1, 1)
    assert set(metrics) == {"processed", "failed", "avgProcessingTime", "p95ProcessingTime"}
    assert metrics["avgProcessingTime"] == 0.5  # milliseconds: the middle of the first bucket
    assert answer["queues"][1]["metrics"]["avgProcessingTime"] is None


async def test_the_dashboard_has_the_other_formats(api: Client) -> None:
    text = (await api.get(f"{DASHBOARD}?format=prometheus")).text
    health = (await api.get(f"{DASHBOARD}?format=health")).json()
    alerts = (await api.get(f"{DASHBOARD}?format=alerts")).json()

    names = {family.name for family in text_string_to_metric_families(text)}
    assert "tidegate_jobs" in names
    assert set(health) == {"status", "timestamp", "queues"}
    assert alerts == {"evaluated_at": None, "alerts": []}


SAME = {
    "format=prometheus": "/metrics",
    "format=alerts": "/api/v1/alerts",
    "format=health": "/api/v1/health/queues",
    "": "/api/v1/stats",
}
"""Formats of the dashboard, and the paths that tell the same."""


@pytest.mark.parametrize("queues", [None, ["work"]])
@pytest.mark.parametrize("role", [*ROLES, "read alone"])
@pytest.mark.parametrize("query", SAME)
async def test_a_format_opens_to_nobody_to_whom_its_own_path_is_closed(
    app: Starlette, store: Store, clock: FakeClock, query: str, role: str,
    queues: list[str] | None,
) -> None:  # fmt: skip
    shop = TokenShop(app, store, clock)
    rights = ROLES.get(role, frozenset({"read"}))
    token = await shop.tokens.create("one", rights, queues, by=ROOT)
    client = shop.client(token)

    here = await client.get(f"{DASHBOARD}?{query}")
    there = await client.get(SAME[query])

    opens = "read" in rights and (query != "format=prometheus" or "metrics" in rights)
    assert here.status_code == (200 if opens else 403)
    assert here.status_code >= there.status_code


@pytest.mark.parametrize("query", ["format=xml", "format=", "form=json", "format=json&format=json"])
async def test_another_format_is_refused(api: Client, query: str) -> None:
    response = await api.get(f"{DASHBOARD}?{query}")

    assert response.status_code == 422
    assert response.json()["type"] == "/problems/invalid-request"


async def test_each_costs_one_request(api: Client, store: Store) -> None:
    job_id = await api.enqueue("fail", attempts=1)
    await api.tick()
    paths = (
        DASHBOARD, f"{DASHBOARD}?format=prometheus", f"{DASHBOARD}?format=health",
        f"{DASHBOARD}?format=alerts", "/api/v1/health/queues", "/api/v1/alerts",
        "/api/jobs/stats", f"/api/jobs/{job_id}", f"{FAILED}/{job_id}",
    )  # fmt: skip

    for path in paths:
        await api.get(path)  # the store has its script now
        before = store.meter.requests
        assert (await api.get(path)).status_code == 200
        assert store.meter.requests - before == 1, path
