"""The API that nudges itself over HTTP, as on Vercel: whatever way a job comes, it runs without a
tick."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable
from types import ModuleType
from typing import Any

import httpx
import pytest

from shared.cli.servers import api
from tests.functions import sample
from tests.functions.recorded import CRON_SECRET, OPERATOR

JOBS = "/api/v1/queues/sample/jobs"
DOUBLE = {"type": "double", "payload": {"n": 21}}
STORED_WITHIN = 30


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
async def client(
    environment: Callable[..., None], cold_start: Callable[[str], ModuleType]
) -> AsyncIterator[httpx.AsyncClient]:
    """The real function on a port, which nothing ticks."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment("vercel", TIDEGATE_NUDGE="url", TIDEGATE_URL=url, TIDEGATE_NUDGE_WINDOW="0.2")
    app = cold_start("functions.api").app
    headers = {"Authorization": f"Bearer {OPERATOR}"}
    async with (
        api(port=port, app=app),
        httpx.AsyncClient(base_url=url, headers=headers, timeout=STORED_WITHIN) as opened,
    ):
        yield opened


async def completed(client: httpx.AsyncClient, job_id: str) -> Any:
    """The job once it has run."""
    async with asyncio.timeout(STORED_WITHIN):
        while True:
            job = (await client.get(f"/api/v1/jobs/{job_id}")).json()
            if job["state"] == "completed":
                return job
            await asyncio.sleep(0.02)


async def by_http(client: httpx.AsyncClient) -> str:
    return str((await client.post(JOBS, json=DOUBLE)).json()["id"])


async def in_bulk(client: httpx.AsyncClient) -> str:
    answer = await client.post(JOBS, json={"jobs": [DOUBLE] * 30})
    return str(answer.json()["jobs"][-1]["id"])


async def by_python(_client: httpx.AsyncClient) -> str:
    return (await sample.double.enqueue(sample.Number(n=21))).id


async def many_by_python(_client: httpx.AsyncClient) -> str:
    jobs = [sample.double.job(sample.Number(n=21)) for _ in range(30)]
    return (await sample.double.enqueue_many(jobs))[-1].id


@pytest.mark.parametrize("enqueue", [by_http, in_bulk, by_python, many_by_python])
async def test_a_job_runs_without_a_tick(
    client: httpx.AsyncClient, enqueue: Callable[[httpx.AsyncClient], Any]
) -> None:
    await completed(client, await enqueue(client))


async def test_a_stream_of_jobs_runs_without_a_tick(client: httpx.AsyncClient) -> None:
    """Also those that come within the window of a nudge."""
    for _ in range(12):
        last = await by_http(client)
        await asyncio.sleep(0.05)

    await completed(client, last)
    assert (await client.get("/api/v1/queues/sample")).json()["counts"]["waiting"] == 0


async def test_a_job_of_the_command_line_runs_without_a_tick(client: httpx.AsyncClient) -> None:
    arguments = ("enqueue", "sample", "double", "--payload", '{"n": 21}', "--job-id", "mine")
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "shared", *arguments)
    assert await process.wait() == 0

    await completed(client, "mine.sample")


@pytest.mark.parametrize("hops", ["-1", "x", "1000"])
async def test_hops_that_make_no_sense_are_refused(client: httpx.AsyncClient, hops: str) -> None:
    headers = {"Authorization": f"Bearer {CRON_SECRET}", "Tidegate-Hops": hops}
    answer = await client.post("/api/cron/drain?queue=sample", headers=headers)

    assert (answer.status_code, "0 to 999" in answer.json()["detail"]) == (422, True)


async def test_the_route_needs_the_secret_for_a_nudge_too(client: httpx.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {CRON_SECRET}x", "Tidegate-Hops": "0"}
    answer = await client.post("/api/cron/drain?queue=sample", headers=headers)

    assert answer.status_code == 401
