"""Access by role: every route with every role, and no request to the store before a refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx
import pytest
from starlette.applications import Starlette

from shared.config.settings import ROLES
from shared.store import Store
from shared.testing import FakeClock
from shared.web.routes import ROUTES
from tests.scenario.world import (
    BASE,
    CRON_SECRET,
    JOBS,
    TOKENS,
    Client,
    World,
    application,
    conforms,
)

NEEDS: Mapping[tuple[str, str], str] = {
    ("POST", "/api/v1/queues/{queue}/jobs"): "producer",
    ("GET", "/api/v1/jobs"): "viewer",
    ("GET", "/api/v1/jobs/{id}"): "viewer",
    ("DELETE", "/api/v1/jobs/{id}"): "operator",
    ("GET", "/api/v1/stats"): "viewer",
    ("GET", "/api/v1/queues"): "viewer",
    ("GET", "/api/v1/queues/{queue}"): "viewer",
    ("GET", "/api/v1/queues/{queue}/keys"): "viewer",
    ("POST", "/api/v1/queues/{queue}/pause"): "operator",
    ("POST", "/api/v1/queues/{queue}/resume"): "operator",
    ("POST", "/api/v1/queues/{queue}/purge"): "admin",
    ("POST", "/api/v1/queues/{queue}/purge-names"): "admin",
    ("GET", "/api/v1/dead-letters"): "viewer",
    ("POST", "/api/v1/dead-letters/redrive"): "operator",
    ("GET", "/api/v1/dead-letters/{id}"): "viewer",
    ("DELETE", "/api/v1/dead-letters/{id}"): "admin",
    ("POST", "/api/v1/dead-letters/{id}/redrive"): "operator",
    ("GET", "/api/v1/archive"): "viewer",
    ("POST", "/api/v1/archive/redrive"): "operator",
    ("GET", "/api/v1/archive/{row}"): "viewer",
    ("POST", "/api/v1/archive/{row}/redrive"): "operator",
    ("GET", "/api/v1/schedules"): "viewer",
    ("GET", "/api/v1/schedules/{app}/{name}"): "viewer",
    ("POST", "/api/v1/schedules/{app}/{name}/pause"): "operator",
    ("POST", "/api/v1/schedules/{app}/{name}/resume"): "operator",
    ("POST", "/api/v1/schedules/{app}/{name}/run"): "operator",
    ("GET", "/api/v1/health"): "viewer",
    ("GET", "/api/cron/drain"): "operator",
    ("POST", "/api/cron/drain"): "operator",
    ("GET", "/api/cron/maintain"): "operator",
    ("POST", "/api/cron/maintain"): "operator",
    ("GET", "/api/v1/tokens"): "admin",
    ("POST", "/api/v1/tokens"): "admin",
    ("DELETE", "/api/v1/tokens/{token}"): "admin",
    ("POST", "/api/v1/tokens/{token}/rotate"): "admin",
    ("GET", "/api/v1/audit"): "admin",
    ("GET", "/api/v1/alerts"): "viewer",
    ("GET", "/api/v1/events"): "viewer",
    ("GET", "/metrics"): "viewer",
    ("GET", "/api/queue/dashboard"): "viewer",
    ("GET", "/api/v1/health/queues"): "viewer",
    ("GET", "/api/v1/admin/failed-jobs"): "viewer",
    ("GET", "/api/v1/admin/failed-jobs/{id}"): "viewer",
    ("POST", "/api/v1/admin/failed-jobs/{id}/retry"): "operator",
    ("GET", "/api/jobs/stats"): "viewer",
    ("GET", "/api/jobs/{id}"): "viewer",
    ("GET", "/healthz"): "public",
    ("GET", "/openapi.json"): "public",
}
"""The least role of the environment, written out a second time: a change in the route table must be
on purpose."""
GUARDED = [route for route, need in NEEDS.items() if need != "public"]
OPEN = [route for route, need in NEEDS.items() if need == "public"]


def path_of(template: str) -> str:
    path = template.replace("{queue}", "work").replace("{id}", "none.work")
    path = path.replace("{token}", "0123456789ab").replace("{row}", "1")
    return path.replace("{app}", "scenario").replace("{name}", "none")


@pytest.fixture(autouse=True)
def watched(store: Store) -> Callable[[], int]:
    """Requests to the store so far."""
    return lambda: store.meter.requests


def test_the_table_of_this_test_has_every_route() -> None:
    assert {(operation.method, operation.path) for operation in ROUTES} == set(NEEDS)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_a_role_opens_its_routes_and_no_other(
    as_role: Callable[[str | None], Client],
    watched: Callable[[], int],
    role: str,
    method: str,
    path: str,
) -> None:
    response = await as_role(role).request(method, path_of(path))

    if ROLES.index(role) >= ROLES.index(NEEDS[method, path]):
        assert response.status_code not in (401, 403)
    else:
        assert response.status_code == 403
        assert response.json()["type"] == "/problems/forbidden"
        assert watched() == 0


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong-token-of-these-tests",
        f"Basic {TOKENS['admin']}",
        TOKENS["admin"],
        f"Bearer {TOKENS['admin']}x",
        f"Bearer {TOKENS['admin'][:-1]}",
        f"Bearer {TOKENS['admin'].upper()}",
        "Bearer \xff\xfe",
    ],
)
async def test_without_a_known_token_no_route_opens_and_the_store_gets_no_request(
    app: Starlette, watched: Callable[[], int], authorization: str | None
) -> None:
    sent = [] if authorization is None else [(b"authorization", authorization.encode("latin-1"))]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        for method, path in GUARDED:
            response = await client.request(method, path_of(path), headers=sent)
            conforms(response)
            assert response.status_code == 401, (method, path)
            assert response.headers["www-authenticate"].startswith("Bearer")

    assert watched() == 0


@pytest.mark.parametrize(("method", "path"), OPEN)
async def test_a_public_route_needs_no_token_and_no_store(
    as_role: Callable[[str | None], Client], watched: Callable[[], int], method: str, path: str
) -> None:
    response = await as_role(None).request(method, path)

    assert response.status_code == 200
    assert watched() == 0


@pytest.mark.parametrize("path", ["/", "/api", "/api/v1/nothing", "/dashboard.php"])
async def test_an_unknown_path_sends_nothing_to_the_store(
    as_role: Callable[[str | None], Client], watched: Callable[[], int], path: str
) -> None:
    response = await as_role(None).get(path)

    assert response.status_code == 404
    assert watched() == 0


async def test_the_cron_secret_opens_the_cron_routes_and_no_other(app: Starlette) -> None:
    async with Client(app, CRON_SECRET) as client:
        for method, path in GUARDED:
            response = await client.request(method, path_of(path))
            assert response.status_code == (200 if path.startswith("/api/cron/") else 401), path


@pytest.mark.parametrize("platform", ["vercel", "lambda"])
async def test_on_a_platform_without_secrets_nothing_is_open_and_it_says_what_to_set(
    world: World, store: Store, clock: FakeClock, platform: str
) -> None:
    bare = application(world, store, clock, platform=platform, cron_secret=None, api_tokens={})
    async with Client(bare, "any-token-whatsoever") as client:
        cron = await client.get("/api/cron/drain")
        enqueue = await client.post(JOBS, json={"type": "double", "payload": {"n": 1}})

    assert (cron.status_code, enqueue.status_code) == (503, 503)
    assert "CRON_SECRET" in cron.json()["detail"]
    assert "TIDEGATE_API_TOKENS" in enqueue.json()["detail"]
    assert store.meter.requests == 0


async def test_without_a_cron_secret_an_operator_may_still_tick(
    world: World, store: Store, clock: FakeClock
) -> None:
    app = application(world, store, clock, platform="lambda", cron_secret=None)
    async with Client(app, TOKENS["operator"]) as client:
        assert (await client.get("/api/cron/drain")).status_code == 200
    async with Client(app, "not-a-token-of-these") as client:
        assert (await client.get("/api/cron/drain")).status_code == 503


async def test_locally_without_secrets_nothing_is_open_either(
    world: World, store: Store, clock: FakeClock
) -> None:
    async with Client(application(world, store, clock, cron_secret=None, api_tokens={}), "") as c:
        assert (await c.get("/api/cron/drain")).status_code == 401
        assert (await c.get("/api/v1/stats")).status_code == 401


@pytest.mark.parametrize("token", [None, "a-token-that-nobody-knows", TOKENS["viewer"]])
async def test_refused_ticks_are_logged_once_a_minute(
    app: Starlette, caplog: pytest.LogCaptureFixture, token: str | None
) -> None:
    async with Client(app, token) as client:
        for _ in range(3):
            assert (await client.post("/api/cron/drain")).status_code in (401, 403)
            await client.get("/api/v1/stats")

    (record,) = (one for one in caplog.records if one.msg == "tick_refused")
    assert record.levelname == "WARNING"
    assert token is None or token not in str(vars(record))
