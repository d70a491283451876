"""Failures of the store as problems: the type, the seconds until a repeat, and no secrets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any

import httpx
import pytest

from shared.drain.budget import Budget
from shared.drain.report import ConsumerReport, StopReason, sum_up
from shared.embedded.protocol import UpstashProtocol
from shared.testing import FakeClock, Fate, LossyTransport, run_virtually, store_on
from tests.scenario.world import JOBS, TOKENS, Client, World, application
from tests.support.bugs import fail_on_queue

JOB = {"type": "double", "payload": {"n": 1}}
READS = ("/api/v1/stats", "/api/v1/queues/work", "/api/v1/dead-letters", "/api/v1/health")


def client(
    world: World, protocol: UpstashProtocol, clock: FakeClock, fates: Iterable[Fate]
) -> Client:
    store = store_on(protocol, clock=clock, wrap=lambda inner: LossyTransport(inner, fates))
    return Client(application(world, store, clock), TOKENS["admin"])


class BrokenTransport(httpx.AsyncBaseTransport):
    """A store that gives every request the same reply, or none. `count`: its requests."""

    def __init__(self, status: int | None = None, **content: Any) -> None:
        self.status, self.content, self.count = status, content, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.count += 1
        if self.status is None:
            await asyncio.Event().wait()
        return httpx.Response(self.status or 0, **self.content)


class RefusingTransport(BrokenTransport):
    """A store that can't be connected to."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.count += 1
        raise httpx.ConnectError("refused", request=request)


def over(
    world: World, protocol: UpstashProtocol, clock: FakeClock, transport: httpx.AsyncBaseTransport
) -> Client:
    """A client of the application whose store is behind this transport."""
    store = store_on(protocol, clock=clock, wrap=lambda _inner: transport)
    return Client(application(world, store, clock), TOKENS["admin"])


@pytest.mark.parametrize(
    ("fate", "status", "slug"),
    [
        (Fate.LOST_BEFORE, 503, "store-unreachable"),
        (Fate.LOST_AFTER, 503, "store-unknown-outcome"),
        (Fate.BAD_GATEWAY, 503, "store-unknown-outcome"),
        (Fate.GARBAGE, 503, "store-unknown-outcome"),
        (Fate.THROTTLED, 429, "store-throttled"),
    ],
)
async def test_a_store_that_stays_away_is_a_problem_with_retry_after(
    world: World, protocol: UpstashProtocol, clock: FakeClock, fate: Fate, status: int, slug: str
) -> None:
    async with client(world, protocol, clock, repeat(fate)) as api:
        answers = [await api.post(JOBS, json=JOB), *[await api.get(path) for path in READS]]

    for response in answers:
        assert response.status_code == status, response.text
        assert response.json()["type"] == f"/problems/{slug}"
        assert int(response.headers["retry-after"]) >= 1


@pytest.mark.parametrize("fate", [Fate.LOST_BEFORE, Fate.LOST_AFTER, Fate.TWICE, Fate.THROTTLED])
async def test_one_failed_request_is_repeated_and_makes_no_second_job(
    world: World, protocol: UpstashProtocol, clock: FakeClock, fate: Fate
) -> None:
    async with client(world, protocol, clock, [Fate.DELIVERED, fate]) as api:
        await api.get("/api/v1/queues/odd")  # so that the fate meets the enqueue
        response = await api.post(JOBS, json=JOB)
        counts = (await api.get("/api/v1/queues/work")).json()["counts"]

    assert response.status_code == 202
    assert counts["waiting"] == 1


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [
        ("ERR max daily request limit exceeded. Limit: 10000", 503, "store-quota"),
        ("WRONGPASS invalid or missing auth token of db-secret-host", 503, "misconfigured"),
        ("ERR max request size exceeded. Limit: 10485760 bytes", 413, "payload-too-large"),
        ("ERR unknown command, with args beginning with: secret-host", 500, "internal"),
    ],
)
async def test_an_error_of_the_store_is_translated_and_not_repeated(
    world: World, protocol: UpstashProtocol, clock: FakeClock, error: str, status: int, slug: str
) -> None:
    async with over(world, protocol, clock, BrokenTransport(400, json={"error": error})) as api:
        response = await api.post(JOBS, json=JOB)

    assert response.status_code == status
    assert response.json()["type"] == f"/problems/{slug}"
    assert "secret" not in response.text
    assert "Limit:" not in response.text


async def test_a_drain_that_loses_its_store_answers_503_with_its_report(
    world: World, protocol: UpstashProtocol, clock: FakeClock
) -> None:
    async with client(world, protocol, clock, repeat(Fate.LOST_BEFORE)) as api:
        response = await api.post("/api/cron/drain")

    assert response.status_code == 503
    assert response.json()["report"]["stop"] == "store"
    assert response.json()["report"]["claimed"] == 0


async def test_a_bug_in_one_queue_s_part_is_answered_as_a_bug(
    api: Client, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not as a store that fails; and another queue's jobs run."""
    fail_on_queue(monkeypatch, "work")
    await api.enqueue()
    other = (await api.post("/api/v1/queues/slow/jobs", json=JOB)).json()["id"]

    response = await api.post("/api/cron/drain?queue=work,slow")

    document = response.json()
    assert (response.status_code, document["type"]) == (500, "/problems/drain-bug")
    assert "report it" in document["detail"]
    assert "Retry-After" not in response.headers
    stops = {name: one["stop"] for name, one in document["report"]["queues"].items()}
    assert (document["report"]["stop"], stops["work"]) == ("error", "error")
    assert stops["slow"] != "error"
    assert (await api.job(other))["state"] == "completed"
    assert "inner words" not in response.text
    traced = [line for line in caplog.records if line.exc_info]
    assert [line.getMessage() for line in traced] == ["consumer_bug"]


async def test_a_queue_that_no_script_can_serve_is_no_store_that_is_away(
    api: Client, world: World
) -> None:
    await api.enqueue()
    object.__setattr__(world.work, "concurrency", 1.5)

    response = await api.post("/api/cron/drain?queue=work,slow")

    assert (response.status_code, response.json()["report"]["stop"]) == (500, "error")


@pytest.mark.parametrize(
    ("failed", "lost", "told"),
    [
        (["store"], None, ("store", "its store")),
        (["store", "error"], None, ("error", "its error")),
        (["error"], "the agenda", ("error", "its error")),
        ([], "the agenda", ("store", "the agenda")),
        ([], None, ("empty", None)),
    ],
)
def test_of_a_bug_and_a_store_that_fails_the_bug_is_told(
    world: World, failed: list[str], lost: str | None, told: tuple[str, str | None]
) -> None:
    """It is the graver: an outage ends by itself."""
    queues = [ConsumerReport(stop, StopReason(stop), error=f"its {stop}") for stop in failed]
    meter, budget = world.store.meter, Budget.of(5.0)

    report = sum_up(
        [*queues, ConsumerReport("well")], None, meter, budget, loop_lag=0, continued=(), error=lost
    )

    assert (report.stop.value, report.error) == told


async def test_a_bulk_that_fails_half_way_answers_which_jobs_are_stored(
    world: World, protocol: UpstashProtocol, clock: FakeClock
) -> None:
    fates = [Fate.DELIVERED, Fate.DELIVERED, *repeat(Fate.LOST_BEFORE, 500)]  # NOSCRIPT, EVAL, then
    async with client(world, protocol, clock, fates) as api:
        response = await api.post(JOBS, json={"jobs": [JOB] * 600})
    async with client(world, protocol, clock, ()) as api:
        counts = (await api.get("/api/v1/queues/work")).json()["counts"]

    answers = response.json()["jobs"]
    assert response.status_code == 202
    assert [("id" in answer) for answer in answers] == [True] * 500 + [False] * 100
    assert answers[-1]["error"]["type"] == "/problems/store-unreachable"
    assert counts["waiting"] == 500


QUOTA = "ERR max requests limit exceeded. Limit: 500000, Usage: 500001."


@pytest.mark.parametrize("status", [200, 400, 403, 429, 500, 502, 503])
@pytest.mark.parametrize("form", [{"json": {"error": QUOTA}}, {"text": QUOTA}, {"html": QUOTA}])
async def test_a_plan_that_is_used_up_is_named_whatever_the_status_and_asked_once(
    world: World, protocol: UpstashProtocol, clock: FakeClock, status: int, form: dict[str, Any]
) -> None:
    store = BrokenTransport(status, **form)
    async with over(world, protocol, clock, store) as api:
        enqueue = await api.post(JOBS, json=JOB)
        requests = store.count
        drain = await api.post("/api/cron/drain?queue=work")

    assert (enqueue.status_code, requests) == (503, 1)
    assert enqueue.json()["type"] == "/problems/store-quota"
    assert (drain.status_code, store.count) == (503, 2)
    assert drain.json()["report"]["stop"] == "store"


@pytest.mark.parametrize(
    "store",
    [
        BrokenTransport(500, json={"error": "ERR away"}),
        BrokenTransport(502, html="<h1>Bad Gateway</h1>"),
    ],
)
async def test_a_drain_asks_a_store_that_answers_errors_four_times(
    world: World, protocol: UpstashProtocol, clock: FakeClock, store: BrokenTransport
) -> None:
    async with over(world, protocol, clock, store) as api:
        response = await api.post("/api/cron/drain?queue=work")

    assert response.status_code == 503
    assert store.count <= 4


@pytest.mark.parametrize(
    ("broken", "slug"),
    [
        (RefusingTransport, "store-unreachable"),
        (BrokenTransport, "store-unknown-outcome"),
        (lambda: BrokenTransport(502, html="<h1>Bad Gateway</h1>"), "store-unknown-outcome"),
        (lambda: BrokenTransport(500, json={"error": "ERR away"}), "store-unknown-outcome"),
        (lambda: BrokenTransport(429, json={"error": "ERR rate limit"}), "store-throttled"),
        (lambda: BrokenTransport(429, headers={"retry-after": "1"}), "store-throttled"),
        (lambda: BrokenTransport(200, text="no json"), "store-unknown-outcome"),
    ],
    ids=["refuses", "hangs", "502", "500", "throttles", "names-a-time", "garbage"],
)
@pytest.mark.parametrize(
    "path", ["/api/v1/health", "/api/v1/stats", "/api/v1/queues", "/api/v1/queues/work"]
)
def test_health_and_numbers_answer_within_two_seconds_while_the_store_does_not(
    world: World,
    protocol: UpstashProtocol,
    clock: FakeClock,
    broken: Callable[[], BrokenTransport],
    slug: str,
    path: str,
) -> None:
    async def story() -> tuple[httpx.Response, float]:
        async with over(world, protocol, clock, broken()) as api:
            began = clock.monotonic()
            return await api.get(path), clock.monotonic() - began

    response, seconds = run_virtually(story(), clock)

    assert response.json()["type"] == f"/problems/{slug}"
    assert seconds <= 2
