"""The HTTP function as one long-lived process: Vercel's cron, its deadline, its SIGTERM, and
requests beside a drain."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import pytest

from shared.errors import ConfigurationError
from tests.functions import sample
from tests.functions.recorded import CRON_SECRET, OPERATOR, event

JOBS = "/api/v1/queues/sample/jobs"
AUTHORIZED = {"Authorization": f"Bearer {OPERATOR}"}


@pytest.fixture
def environ(environment: Callable[..., None]) -> None:
    environment("vercel")


@pytest.fixture
async def client(
    environ: None, cold_start: Callable[[str], ModuleType]
) -> AsyncIterator[httpx.AsyncClient]:
    """The application between its start and its shutdown, as its server runs it."""
    app = cold_start("functions.api").app
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="https://tidegate.test") as opened,
    ):
        yield opened


@pytest.fixture
def gate() -> sample.Gate:
    """Of the `wait` jobs of this test."""
    sample.gates.append(sample.Gate())
    return sample.gates[-1]


async def enqueue(client: httpx.AsyncClient, type: str, n: int = 1) -> str:
    body = {"type": type, "payload": {"n": n}}
    response = await client.post(JOBS, json=body, headers=AUTHORIZED)
    assert response.status_code == 202, response.text
    found: str = response.json()["id"]
    return found


async def tick(client: httpx.AsyncClient) -> Any:
    cron = event("vercel_cron")
    response = await client.request(cron["method"], cron["path"], headers=cron["headers"])
    assert response.status_code == 200, response.text
    return response.json()


async def test_vercels_cron_request_is_a_tick(client: httpx.AsyncClient) -> None:
    await enqueue(client, "double")

    report = await tick(client)

    assert report["outcomes"] == {"done": 1}


async def test_the_same_request_without_the_secret_is_nobody(client: httpx.AsyncClient) -> None:
    headers = {k: v for k, v in event("vercel_cron")["headers"].items() if k != "authorization"}

    responses = [
        await client.get("/api/cron/drain", headers=headers),
        await client.get("/api/cron/drain", headers={"authorization": f"bearer {CRON_SECRET}x"}),
        await client.get(f"/api/cron/drain?secret={CRON_SECRET}"),
    ]

    assert [response.status_code for response in responses] == [401] * 3


async def test_two_ticks_at_once_share_the_work(client: httpx.AsyncClient) -> None:
    for n in range(20):
        await enqueue(client, "double", n)

    reports = await asyncio.gather(tick(client), tick(client))

    assert sum(report["outcomes"].get("done", 0) for report in reports) == 20


async def test_the_deadline_is_vercels_where_its_runtime_tells(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadline = datetime.now(UTC) + timedelta(seconds=42)
    runtime = SimpleNamespace(get_deadline=lambda: deadline)
    monkeypatch.setitem(sys.modules, "vercel_runtime", runtime)

    report = await tick(client)

    assert 40 < report["seconds"]["used"] + report["seconds"]["left"] <= 42


@pytest.mark.parametrize(
    "runtime", [None, SimpleNamespace(), SimpleNamespace(get_deadline=lambda: None)]
)
async def test_else_it_is_the_configured_maximum(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, runtime: Any
) -> None:
    monkeypatch.setitem(sys.modules, "vercel_runtime", runtime)

    report = await tick(client)

    assert report["seconds"]["used"] + report["seconds"]["left"] == pytest.approx(300, abs=0.01)


async def test_a_drain_lets_other_requests_through(
    client: httpx.AsyncClient, gate: sample.Gate
) -> None:
    job_id = await enqueue(client, "wait")
    draining = asyncio.create_task(tick(client))
    await gate.running.wait()

    alive = await client.get("/healthz")
    job = await client.get(f"/api/v1/jobs/{job_id}", headers=AUTHORIZED)
    gate.open.set()

    assert (alive.status_code, job.json()["state"]) == (200, "active")
    assert (await draining)["outcomes"] == {"done": 1}


async def test_sigterm_ends_every_drain_and_still_reaches_the_server(
    client: httpx.AsyncClient, gate: sample.Gate
) -> None:
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    try:
        first = await enqueue(client, "wait")
        draining = [asyncio.create_task(tick(client))]
        await gate.running.wait()
        second = await enqueue(client, "wait")
        gate.running.clear()
        draining.append(asyncio.create_task(tick(client)))
        await gate.running.wait()

        os.kill(os.getpid(), signal.SIGTERM)
        reports = await asyncio.gather(*draining)

        assert told == [signal.SIGTERM]
        assert [report["stop"] for report in reports] == ["shutdown", "shutdown"]
        for job_id in (first, second):
            job = (await client.get(f"/api/v1/jobs/{job_id}", headers=AUTHORIZED)).json()
            assert (job["state"], job["attempts"], job["crashes"]) == ("waiting", 0, 0)
        await tick_nothing_is_watched(client, told)
    finally:
        signal.signal(signal.SIGTERM, before)


async def tick_nothing_is_watched(client: httpx.AsyncClient, told: list[int]) -> None:
    """After the drains the server's own handler is back, not one of theirs."""
    handler = signal.getsignal(signal.SIGTERM)
    assert callable(handler)
    handler(signal.SIGTERM, None)
    assert told == [signal.SIGTERM] * 2


async def test_a_server_does_not_start_on_a_configuration_that_can_not_work(
    environment: Callable[..., None], cold_start: Callable[[str], ModuleType]
) -> None:
    environment("vercel", UPSTASH_REDIS_REST_URL=None)
    app = cold_start("functions.api").app

    with pytest.raises(ConfigurationError, match="UPSTASH_REDIS_REST_URL is not set"):
        async with app.router.lifespan_context(app):
            pass


async def test_without_tokens_a_developer_is_shown_one_and_nobody_else_gets_in(
    environment: Callable[..., None],
    cold_start: Callable[[str], ModuleType],
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment("local", TIDEGATE_API_TOKENS=None, CRON_SECRET=None)
    app = cold_start("functions.api").app
    async with app.router.lifespan_context(app):
        token = capsys.readouterr().err.split()[-1]
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1"
        ) as anyone:
            shut = await anyone.get("/api/v1/stats")
            opened = await anyone.get("/api/v1/stats", headers={"Authorization": f"Bearer {token}"})

    assert (shut.status_code, opened.status_code) == (401, 200)
