"""Events over HTTP: pages and streams, whose they are, and what is not in them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest
from starlette.applications import Starlette

from shared.store import Store
from shared.testing import FakeClock
from shared.web import events
from shared.web.events import MOST_OF_CALLER, MOST_STREAMS, STREAM_SECONDS, Stream
from tests.scenario.tokens import TokenShop
from tests.scenario.world import TOKENS, Client, World, application

EVENTS = "/api/v1/events"
STREAM = {"Accept": "text/event-stream"}
SCOPE = {"type": "http", "method": "GET", "asgi": {"spec_version": "2.4"}}


@pytest.fixture
def app(world: World, store: Store, clock: FakeClock) -> Starlette:
    """The API of a deployment whose drains tell events."""
    return application(world, store, clock, events=True)


async def told(api: Client, query: str = "") -> list[tuple[Any, ...]]:
    response = await api.get(EVENTS + query)
    assert response.status_code == 200, response.text
    rows = response.json()["events"]
    return [(one["event"], one["id"], one["type"], one["state"]) for one in rows]


async def test_what_becomes_of_jobs_is_told_in_order(api: Client, world: World) -> None:
    double, fail = await api.enqueue(), await api.enqueue("fail")
    await api.tick()

    assert sorted(await told(api)) == [
        ("completed", double, "double", "completed"),
        ("failed", fail, "fail", "delayed"),
    ]
    assert await told(api, "?event=failed&queue=work") == [("failed", fail, "fail", "delayed")]
    assert await told(api, "?queue=slow") == []


async def test_nothing_is_told_and_nothing_is_billed_while_events_are_off(
    world: World, store: Store, clock: FakeClock
) -> None:
    costs = {}
    for is_on in (False, True, False):
        app = application(world, store, clock, events=is_on)
        async with Client(app, TOKENS["admin"]) as api:
            await api.enqueue()
            before = store.meter.commands
            await api.tick()
            costs[is_on] = store.meter.commands - before
            assert len(await told(api)) == (1 if True in costs else 0)

    assert costs[True] == costs[False] + 1


async def test_a_page_goes_on_where_the_one_before_ended(api: Client) -> None:
    await api.enqueue()
    await api.tick()
    first = (await api.get(EVENTS)).json()
    second = (await api.get(f"{EVENTS}?cursor={first['next']}")).json()

    assert (len(first["events"]), first["gap"], first["more"]) == (1, False, False)
    assert second == {"events": [], "next": first["next"], "gap": False, "more": False}


@pytest.mark.parametrize("query", ["?event=started", "?cursor=soon", "?cursor=", "?limit=3"])
async def test_what_no_event_can_be_asked_for_is_refused(api: Client, query: str) -> None:
    assert (await api.get(EVENTS + query)).status_code == 422
    assert (await api.get(EVENTS + query, headers=STREAM)).status_code == 422


async def test_an_unknown_queue_is_refused(api: Client) -> None:
    assert (await api.get(f"{EVENTS}?queue=none")).status_code == 404


async def test_a_stream_has_each_event_and_an_id_and_ends_by_itself(
    api: Client, store: Store, clock: FakeClock
) -> None:
    job_id = await api.enqueue()
    await api.tick()
    began, before = clock.monotonic(), store.meter.commands
    response = await api.get(EVENTS, headers=STREAM)

    assert response.headers["content-type"] == "text/event-stream"
    blocks = response.text.split("\n\n")
    assert blocks[0] == "retry: 2000"
    name, data = blocks[1].split("\n")
    assert name == "event: completed"
    assert json.loads(data.removeprefix("data: "))["id"] == job_id
    assert set(blocks[2:-1]) == {blocks[2]}, "then nothing but the id, again and again"
    assert blocks[2].startswith("id: ")
    assert clock.monotonic() - began == pytest.approx(STREAM_SECONDS)
    assert store.meter.commands - before == 29, "one every two seconds, at both ends too"


async def test_a_stream_goes_on_behind_the_last_event_id(api: Client) -> None:
    await api.enqueue()
    await api.tick()
    cursor = (await api.get(EVENTS)).json()["next"]
    late = await api.enqueue()
    await api.tick()

    response = await api.get(EVENTS, headers={**STREAM, "Last-Event-ID": cursor})

    assert response.text.count("event: ") == 1
    assert late in response.text
    assert (await api.get(EVENTS, headers={**STREAM, "Last-Event-ID": "x"})).status_code == 422


async def test_events_that_are_gone_are_told_as_a_gap(api: Client) -> None:
    await api.enqueue()
    await api.tick()

    response = await api.get(f"{EVENTS}?cursor=1-1", headers=STREAM)

    assert "event: gap\ndata: {}" in response.text
    assert (await api.get(f"{EVENTS}?cursor=1-1")).json()["gap"]


async def test_on_lambda_a_stream_is_answered_as_a_page(
    world: World, store: Store, clock: FakeClock, as_role: Any
) -> None:
    api: Client = as_role("admin")
    await api.enqueue()
    await api.tick()
    app: Starlette = application(world, store, clock, platform="lambda")
    async with Client(app, TOKENS["viewer"]) as viewer:
        response = await viewer.get(EVENTS, headers=STREAM)

    assert response.headers["content-type"] == "application/json"
    assert len(response.json()["events"]) == 1


@pytest.mark.parametrize(("role", "status"), [
    (None, 401), ("producer", 403), ("viewer", 200), ("operator", 200), ("admin", 200),
])  # fmt: skip
async def test_a_viewer_may_follow_and_a_producer_may_not(
    as_role: Any, role: str | None, status: int
) -> None:
    assert (await as_role(role).get(EVENTS)).status_code == status
    assert (await as_role(role).get(EVENTS, headers=STREAM)).status_code == status


async def test_a_token_of_some_queues_sees_their_events_only(
    api: Client, app: Starlette, store: Store, clock: FakeClock
) -> None:
    await api.enqueue()
    slow = await api.enqueue(queue="slow")
    await api.tick()
    viewer = await TokenShop(app, store, clock).client_of("viewer", queues=["slow"])

    assert {one[1] for one in await told(viewer)} == {slow}
    assert slow in (await viewer.get(EVENTS, headers=STREAM)).text
    assert (await viewer.get(f"{EVENTS}?queue=work")).status_code == 403


async def test_nothing_that_a_job_carries_is_in_its_events(api: Client, store: Store) -> None:
    secret = "quite-secret"
    body = {"type": "fail", "payload": {"n": 7, "note": secret}}
    await api.post("/api/v1/queues/work/jobs", json=body)
    await api.enqueue()
    await api.tick()

    raw = str(await store.rest.execute(["XRANGE", f"{store.prefix}:events", "-", "+"], "test"))

    assert "double" in raw
    for word in (secret, "no file", "twice", "half way", "ValueError"):
        assert word not in raw


async def test_a_stream_ends_with_its_token(app: Starlette, store: Store, clock: FakeClock) -> None:
    follower = await TokenShop(app, store, clock).client_of("viewer", seconds=5)
    began = clock.monotonic()

    assert (await follower.get(EVENTS, headers=STREAM)).status_code == 200

    assert clock.monotonic() - began == pytest.approx(5)
    clock.advance(1)
    assert (await follower.get(EVENTS, headers=STREAM)).status_code == 401


async def test_streams_of_a_caller_are_bounded(api: Client) -> None:
    answers = await asyncio.gather(
        *(api.get(EVENTS, headers=STREAM) for _ in range(MOST_OF_CALLER + 3))
    )

    codes = [one.status_code for one in answers]
    assert (codes.count(200), codes.count(503)) == (MOST_OF_CALLER, 3)
    (refused, *_others) = [one for one in answers if one.status_code == 503]
    assert refused.json()["type"] == "/problems/too-many-streams"
    assert int(refused.headers["retry-after"]) > 0
    assert (await api.get(EVENTS, headers=STREAM)).status_code == 200, "the others have ended"
    assert not Stream.open


async def test_streams_of_a_process_are_bounded() -> None:
    codes, end = list[int](), asyncio.Event()

    async def send(message: MutableMapping[str, Any]) -> None:
        if "status" in message:
            codes.append(message["status"])

    async def pages() -> AsyncIterator[str]:
        await end.wait()
        yield ": nothing yet"

    streams = [
        asyncio.create_task(Stream(pages(), who=who, seconds=60)(SCOPE, _connected, send))
        for who in "abc"
        for _ in range(MOST_STREAMS // 2)
    ]
    await asyncio.wait(streams[MOST_STREAMS:])
    assert codes == [200] * MOST_STREAMS + [503] * (MOST_STREAMS // 2)
    assert Stream.open.total() == MOST_STREAMS
    end.set()
    await asyncio.gather(*streams)
    assert not Stream.open


async def _connected() -> MutableMapping[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError("never a disconnect")


async def test_a_stream_that_is_not_read_ends(
    app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its send waits for as long as the client does not read."""
    monkeypatch.setattr(events, "GRACE", 0.0)
    sent = list[str]()

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message["type"])
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def pages() -> AsyncIterator[str]:
        while True:
            yield ": nothing yet"

    for version in ("2.3", "2.4"):
        scope = {**SCOPE, "asgi": {"spec_version": version}}
        await Stream(pages(), who="viewer", seconds=0.05)(scope, _connected, send)

    assert sent == ["http.response.start", "http.response.body"] * 2
    assert not Stream.open
