"""The archive over HTTP: search, one row, redrive, and who may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from shared.archive import places
from shared.jobs.job import Job
from shared.store import Store
from shared.testing import FakeClock
from tests.archive.world import World
from tests.scenario.tokens import TokenShop
from tests.scenario.world import TOKENS, Client, application

ARCHIVE = "/api/v1/archive"
As = Callable[[str | None], Client]


@pytest.fixture
async def as_role(dying: World, store: Store, clock: FakeClock) -> AsyncIterator[As]:
    app = application(dying, store, clock, archive_url=dying.url, prefix="test")
    async with AsyncExitStack() as stack:

        def client(role: str | None) -> Client:
            opened = Client(app, None if role is None else TOKENS[role])
            stack.push_async_callback(opened.aclose)
            return opened

        yield client


@pytest.fixture
def api(as_role: As) -> Client:
    return as_role("admin")


async def die(dying: World, **payloads: str) -> None:
    """Jobs with these payloads die a second apart, and are archived."""
    for name, payload in payloads.items():
        await dying.store.enqueue(dying.queue, [Job("t", payload, id=name)])
        await dying.end()
        dying.clock.advance(1)
    await dying.maintain()


async def ids(api: Client, **query: Any) -> list[str]:
    response = await api.get(ARCHIVE, params=query)
    assert response.status_code == 200, response.text
    return [row["id"].partition(".")[0] for row in response.json()["rows"]]


async def test_rows_are_found_by_every_filter(dying: World, api: Client) -> None:
    began = dying.clock.epoch_ms()
    await die(dying, a='{"user":7,"tags":["x","y"]}', b='{"user":8}', c='{"user":7}')
    await dying.die("d", queue=dying.other)
    await dying.maintain()

    assert await ids(api) == ["d", "c", "b", "a"]
    assert await ids(api, queue="other") == ["d"]
    assert await ids(api, type="t", limit=2) == ["d", "c"]
    assert await ids(api, type="none") == []
    assert await ids(api, payload='{"user": 7}') == ["c", "a"]
    assert await ids(api, payload='{"user": 7, "tags": ["y"]}') == ["a"]
    assert await ids(api, error="100%_\\") == []
    times = {"since": instant(began + 1000), "until": instant(began + 2000)}
    assert await ids(api, **times) == ["b"]


def instant(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


async def test_pages_show_each_row_once(dying: World, api: Client) -> None:
    await dying.die(*(f"j{n:02}" for n in range(25)))  # all at one instant
    await dying.maintain()
    seen, cursor = [], None
    while True:
        query = {"limit": "10", **({"cursor": cursor} if cursor else {})}
        page = (await api.get(ARCHIVE, params=query)).json()
        seen += [row["id"] for row in page["rows"]]
        cursor = page["next"]
        if cursor is None:
            break

    assert len(seen) == len(set(seen)) == 25


@pytest.mark.parametrize(
    "query",
    [
        {"payload": "7"},
        {"payload": "{}"},
        {"payload": '{"a": "\\u0000"}'},
        {"payload": '{"a": NaN}'},
        {"payload": '{"a": 1e400}'},
        {"payload": '{"a": [{"b": -1e400}]}'},
        {"payload": '{"a": ' + "1" * 3000 + "}"},
        {"since": "yesterday"},
        {"until": "2026-01-01"},
        {"error": "a\0b"},
        {"type": "a\0b"},
        {"cursor": "nonsense"},
        {"limit": "0"},
        {"unknown": "1"},
    ],
)
async def test_a_wrong_filter_is_told(dying: World, api: Client, query: dict[str, str]) -> None:
    response = await api.get(ARCHIVE, params=query)

    assert response.status_code == 422
    assert next(iter(query)) in response.text


async def test_payloads_are_for_operators(dying: World, as_role: As) -> None:
    await die(dying, a='{"user":7}')
    viewer, operator = as_role("viewer"), as_role("operator")
    row = (await viewer.get(ARCHIVE)).json()["rows"][0]["row"]

    assert (await viewer.get(f"{ARCHIVE}/{row}")).json()["payload"] is None
    assert (await operator.get(f"{ARCHIVE}/{row}")).json()["payload"] == {"user": 7}
    asked = await viewer.get(ARCHIVE, params={"payload": '{"user": 7}'})
    assert asked.status_code == 403, "a search by payload tells what payloads hold"
    assert (await viewer.post(f"{ARCHIVE}/{row}/redrive")).status_code == 403


async def test_a_row_is_redriven_once(dying: World, api: Client) -> None:
    await die(dying, a='{"user": 7}')
    (listed,) = (await api.get(ARCHIVE)).json()["rows"]
    first = await api.post(f"{ARCHIVE}/{listed['row']}/redrive")
    assert first.json() == {
        "row": listed["row"], "id": "a.q", "redriven": True, "reason": None,
    }  # fmt: skip
    view = await dying.store.inspect(dying.queue, "a")
    assert (view.state, view.payload, view.redrives, view.attempts) == (
        "waiting", '{"user": 7}', 1, 0,
    )  # fmt: skip

    second = (await api.post(f"{ARCHIVE}/{listed['row']}/redrive")).json()
    assert (second["redriven"], second["reason"]) == (
        False, "it was redriven from this row before",
    )  # fmt: skip
    await dying.end()
    await dying.maintain()
    rows = (await api.get(ARCHIVE)).json()["rows"]
    assert [(row["redrives"], row["redriven_at"] is None) for row in rows] == [
        (1, True), (0, False),
    ]  # fmt: skip


async def test_many_are_redriven_by_rows_or_by_filter(dying: World, api: Client) -> None:
    await die(dying, **{f"j{n}": f'{{"n":{n}}}' for n in range(6)})
    rows = {row["id"]: row["row"] for row in (await api.get(ARCHIVE)).json()["rows"]}
    some = await api.post(f"{ARCHIVE}/redrive", json={"rows": [rows["j0.q"], rows["j1.q"]]})
    assert some.json()["redriven"] == 2

    by = {"filter": {"queue": "q", "payload": {"n": 2}}}
    assert (await api.post(f"{ARCHIVE}/redrive", json=by)).json()["redriven"] == 1
    request: dict[str, Any] = {"filter": {"queue": "q"}, "most": 2}
    counts = []
    while True:
        answer = (await api.post(f"{ARCHIVE}/redrive", json=request)).json()
        counts.append(answer["redriven"])
        if answer["next"] is None:
            break
        request["cursor"] = answer["next"]
    assert counts == [2, 1]  # those that were redriven before do not fit
    assert (await dying.store.stats(dying.queue)).waiting == 6


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"filter": {}},
        {"rows": [1], "filter": {"queue": "q"}},
        {"rows": [0]},
        {"rows": ["1"]},
        {"rows": [2**63]},
        {"filter": {"payload": 7}},
        {"filter": {"queue": "q"}, "most": 0},
        {"filter": {"since": "yesterday"}},
    ],
)
async def test_a_wrong_redrive_is_told(dying: World, api: Client, body: dict[str, Any]) -> None:
    assert (await api.post(f"{ARCHIVE}/redrive", json=body)).status_code == 422


@pytest.mark.parametrize(
    "row",
    [
        "0",
        "-1",
        "x",
        "9" * 30,
        "9" * 4400,
        "0" * 19 + "1" + "9" * 4400,
        "1.5",
        "9223372036854775807",
        "٣",
    ],
)
async def test_an_unknown_row_is_not_found(dying: World, api: Client, row: str) -> None:
    await dying.maintain()

    assert (await api.get(f"{ARCHIVE}/{row}")).status_code == 404
    assert (await api.post(f"{ARCHIVE}/{row}/redrive")).status_code == 404


async def test_another_deployment_in_the_same_database_sees_nothing(
    dying: World, store: Store, clock: FakeClock
) -> None:
    await die(dying, a="{}")
    app = application(dying, store, clock, archive_url=dying.url, prefix="staging")
    async with Client(app, TOKENS["admin"]) as api:
        assert await ids(api) == []


async def test_the_cron_route_maintains(dying: World, api: Client) -> None:
    await dying.die("a")
    dying.clock.advance(900)
    report = (await api.post("/api/cron/maintain")).json()

    assert (report["stop"], report["archived"], report["removed"]) == ("done", 1, 1)


@pytest.mark.parametrize(
    ("url", "status", "problem"),
    [
        (None, 404, "no-archive"),
        ("postgresql://u:the-password@127.0.0.1:9/x", 503, "archive-unreachable"),
    ],
)
async def test_without_a_database_requests_say_so(
    dying: World, store: Store, clock: FakeClock, url: str | None, status: int, problem: str
) -> None:
    app = application(dying, store, clock, archive_url=url, prefix="test")
    async with Client(app, TOKENS["admin"]) as api:
        response = await api.get(ARCHIVE)
        assert (response.status_code, response.json()["type"]) == (status, f"/problems/{problem}")
        assert "the-password" not in response.text
        tick = await api.post("/api/cron/maintain")
        assert tick.status_code == (200 if url is None else 503)
        assert "the-password" not in tick.text


async def test_connections_of_requests_are_few(
    dying: World, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner's own applications need the others."""
    assert dying.url is not None
    monkeypatch.setattr(places, "WAIT", 0.1)
    await die(dying, a="{}")
    async with await psycopg.AsyncConnection.connect(dying.url) as db:
        await db.execute("LOCK TABLE job_failures IN ACCESS EXCLUSIVE MODE")
        requests = [asyncio.create_task(api.get(ARCHIVE)) for _ in range(3 * places.MOST)]
        while sum(one.done() for one in requests) < 2 * places.MOST:
            await asyncio.wait(
                [one for one in requests if not one.done()], return_when="FIRST_COMPLETED"
            )
        refused = [one.result() for one in requests if one.done()]
        await db.rollback()
        answered = [await one for one in requests]

    assert len(refused) == 2 * places.MOST
    for one in refused:
        assert (one.status_code, one.json()["type"]) == (503, "/problems/archive-unreachable")
        assert int(one.headers["retry-after"]) > 0
    assert sum(one.status_code == 200 for one in answered) == places.MOST
    assert await ids(api) == ["a"], "the places are free again"


async def test_an_operator_who_may_not_read_payloads_redrives_none_by_them(
    dying: World, as_role: As
) -> None:
    """The roles of the environment's tokens have both rights; a stored token may lack one."""
    await die(dying, a='{"user":7}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.web.call.Call.may_read_payloads", lambda _call: False)
        operator = as_role("operator")
        by: dict[str, Any] = {"filter": {"payload": {"user": 7}}}
        assert (await operator.post(f"{ARCHIVE}/redrive", json=by)).status_code == 403
        assert (await operator.get(ARCHIVE, params={"payload": '{"user":7}'})).status_code == 403
        by = {"filter": {"queue": "q"}}
        assert (await operator.post(f"{ARCHIVE}/redrive", json=by)).json()["redriven"] == 1


async def test_a_token_that_is_limited_to_a_queue_reaches_no_row_of_another(
    dying: World, store: Store, clock: FakeClock
) -> None:
    await dying.die("mine", queue=dying.other)
    await die(dying, theirs="{}")
    app = application(dying, store, clock, archive_url=dying.url, prefix="test")
    (row,) = (one["id"] for one in dying.rows() if one["job_id"] == "theirs.q")
    shop = TokenShop(app, store, clock, "test")
    async with await shop.client_of("admin", queues=["other"]) as limited:
        assert await ids(limited) == ["mine"]
        for number in (row, 999_999):  # a row of another queue reads as one that does not exist
            unknown = f"no row {number} in the archive; rows go after 30 days"
            shown = await limited.get(f"{ARCHIVE}/{number}")
            redriven = await limited.post(f"{ARCHIVE}/{number}/redrive")
            many = await limited.post(f"{ARCHIVE}/redrive", json={"rows": [number]})
            for response in (shown, redriven, many):
                assert (response.status_code, response.json()["detail"]) == (404, unknown)
        named = await limited.post(f"{ARCHIVE}/redrive", json={"filter": {"queue": "q"}})
        assert named.status_code == 403
        assert (await limited.get(ARCHIVE, params={"queue": "q"})).status_code == 403
        by = {"filter": {"error": ""}}
        assert (await limited.post(f"{ARCHIVE}/redrive", json=by)).json()["redriven"] == 1
        assert (await limited.post("/api/cron/maintain")).status_code == 403
    assert (await store.stats(dying.queue)).waiting == 0
