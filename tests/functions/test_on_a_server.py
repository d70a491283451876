"""The mounted API on a plain ASGI server, whose process nobody watches: its log tells each drain,
also one that lost the store, and that no database is configured."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from shared.config.settings import Settings
from shared.hosts.asgi import create_api
from shared.observe import log
from tests.functions.recorded import CRON_SECRET

TICK = {"Authorization": f"Bearer {CRON_SECRET}"}
NOBODY = "http://127.0.0.1:9"
"""An address at which no store answers."""


Server = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def server(
    environment: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Server:
    """`with server(NAME=value)`: a process without logging of its own, in this environment."""
    monkeypatch.chdir(tmp_path)

    @contextmanager
    def run(**changes: str | None) -> Iterator[None]:
        environment("local", **changes)
        before = [(one, one.handlers[:]) for one in (logging.root, logging.getLogger("tidegate"))]
        for logger, _ in before:
            logger.handlers.clear()
        try:
            yield
        finally:
            for logger, handlers in before:
                logger.handlers[:] = handlers

    return run


async def tick() -> httpx.Response:
    """What the cron of such a server calls, in an application that mounts the API."""
    app, api = Starlette(), create_api()
    app.mount("/tidegate", api)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://s") as one:
        response = await one.get("/tidegate/api/cron/drain", headers=TICK)
    await api.state.service.close()
    return response


def drained(err: str) -> list[tuple[str, dict[str, object]]]:
    """The lines of drains: the level and the report of each."""
    lines = [line.split(" ", 3) for line in err.splitlines() if " drained " in line]
    return [(level, json.loads(rest.removeprefix("report="))) for _, level, _, rest in lines]


async def test_a_drain_is_a_line_of_the_log(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    with server():
        response = await tick()
    err = capsys.readouterr().err

    assert drained(err) == [("INFO", response.json())]
    assert response.json()["stop"] == "idle"
    assert "embedded_store" not in err


@pytest.mark.parametrize("level", ["INFO", "WARNING"])
async def test_a_drain_that_lost_the_store_is_a_warning_with_the_cause(
    server: Server, capsys: pytest.CaptureFixture[str], level: str
) -> None:
    variables = {"UPSTASH_REDIS_REST_URL": NOBODY, "TIDEGATE_MAX_DURATION": "1"}
    with server(**variables, TIDEGATE_LOG_LEVEL=level):
        await tick()

    ((written, report),) = drained(capsys.readouterr().err)
    assert (written, report["stop"]) == ("WARNING", "store")
    assert report["error"]


async def test_a_command_that_prints_its_reports_logs_none(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(UPSTASH_REDIS_REST_URL=NOBODY, TIDEGATE_MAX_DURATION="1"):
        log.configure(Settings.from_env(), prints_reports=True)
        await tick()

    assert drained(capsys.readouterr().err) == []


@pytest.mark.parametrize(
    ("volatile", "where"), [("1", "folder=none (TIDEGATE_VOLATILE)"), ("0", "folder=.tidegate")]
)
def test_without_a_database_one_line_warns_that_jobs_stay_on_this_machine(
    server: Server, capsys: pytest.CaptureFixture[str], volatile: str, where: str
) -> None:
    async def two_requests() -> None:
        app = create_api()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://s") as client:
            await client.get("/healthz")
            await client.get("/healthz")
        await app.state.service.close()

    store = {"UPSTASH_REDIS_REST_URL": None, "UPSTASH_REDIS_REST_TOKEN": None}
    with server(**store, TIDEGATE_VOLATILE=volatile):
        asyncio.run(two_requests())

    (line,) = [one for one in capsys.readouterr().err.splitlines() if "embedded_store" in one]
    assert " WARNING " in line
    assert "UPSTASH_REDIS_REST_URL is not set" in line
    assert line.endswith(where)
