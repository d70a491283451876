"""The API inside an application that exists already: one line, and every route below its prefix."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from shared.hosts.asgi import create_api
from tests.functions.recorded import CRON_SECRET, OPERATOR

AUTHORIZED = {"Authorization": f"Bearer {OPERATOR}"}
TICK = {"Authorization": f"Bearer {CRON_SECRET}"}


async def shop(_request: Request) -> JSONResponse:
    return JSONResponse({"shop": "open"})


def starlette_shop() -> Any:
    return Starlette(routes=[Route("/shop", shop)])


def fastapi_shop() -> Any:
    pytest.importorskip("fastapi", reason="FastAPI is no dependency")
    app = importlib.import_module("fastapi").FastAPI()
    app.add_api_route("/shop", lambda: {"shop": "open"})
    return app


@pytest.fixture(params=[starlette_shop, fastapi_shop])
async def client(
    request: pytest.FixtureRequest, environment: Callable[..., None]
) -> AsyncIterator[httpx.AsyncClient]:
    environment("vercel")
    app, api = request.param(), create_api()
    app.mount("/tidegate", api)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="https://shop.test") as opened,
    ):
        yield opened
    await api.state.service.close()


async def test_a_job_goes_its_way_below_the_prefix(client: httpx.AsyncClient) -> None:
    job = {"type": "double", "payload": {"n": 7}}
    url = "/tidegate/api/v1/queues/sample/jobs"

    accepted = await client.post(url, json=job, headers=AUTHORIZED)
    ticked = await client.get("/tidegate/api/cron/drain", headers=TICK)
    shown = await client.get(accepted.headers["location"], headers=AUTHORIZED)

    assert accepted.status_code == 202
    assert ticked.json()["outcomes"] == {"done": 1}
    assert (shown.status_code, shown.json()["state"]) == (200, "completed")


async def test_the_applications_own_routes_stay_and_the_api_is_nowhere_else(
    client: httpx.AsyncClient,
) -> None:
    own = await client.get("/shop")
    unknown = await client.get("/tidegate/nowhere")
    unauthorized = await client.get("/tidegate/api/v1/stats")
    outside = await client.get("/api/v1/stats", headers=AUTHORIZED)

    assert own.json() == {"shop": "open"}
    assert (unknown.status_code, unauthorized.status_code, outside.status_code) == (404, 401, 404)
    assert unknown.headers["content-type"] == "application/problem+json"
