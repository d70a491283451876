"""The audit of the API: every operation that changes something, and its half-failures."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.applications import Starlette

from shared.jobs.redact import keep_secret
from shared.store import Store
from shared.store.access import MOST_ROWS
from shared.testing import FakeClock, Fate, LossyTransport, store_on
from shared.web.operation import Operation
from shared.web.routes import ROUTES
from tests.scenario.test_access import path_of
from tests.scenario.tokens import NEEDS, TokenShop
from tests.scenario.world import Client, World, application
from tests.support.probe import Probe

BODIES: dict[str, Any] = {
    "deadletters.redrive_many": {"filter": {"queue": "work", "error": "no file"}},
    "archive.redrive_many": {"filter": {"queue": "work"}},
    "tokens.create": {"name": "ci", "roles": ["viewer"]},
    "tokens.rotate": {"overlap": 60},
}
AUDITED = [one for one in ROUTES if one.is_audited]


async def _rows(api: Client) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await api.get("/api/v1/audit")).json()["rows"]
    return rows


def test_what_changes_something_is_audited_and_nothing_else() -> None:
    changes = {
        route
        for route, need in NEEDS.items()
        if route[0] != "GET" and need in ("operate", "delete", "manage")
    }
    assert {(one.method, one.path) for one in AUDITED} == changes


@pytest.mark.parametrize("operation", AUDITED, ids=lambda one: one.name)
async def test_an_action_has_two_rows_that_say_who_did_what_to_what(
    api: Client, operation: Operation
) -> None:
    path = path_of(operation.path)
    response = await api.request(operation.method, path, json=BODIES.get(operation.name))

    end, began = await _rows(api)
    done = response.status_code < 400
    assert (began["result"], end["result"].partition(":")[0]) == (
        "began",
        "done" if done else "failed",
    )
    for row in (began, end):
        assert row["who"] == "environment:admin"
        assert row["verb"] == operation.name
        assert row["at"] is not None
        assert row["action"] == began["action"]
        assert row["object"]
        assert "work" in row["object"] or not re.search(r"\{(queue|id)\}", operation.path)


async def test_reads_enqueues_ticks_and_refusals_leave_no_row(api: Client, as_role: Any) -> None:
    job_id = await api.enqueue()
    await api.tick()
    await api.get("/api/v1/stats")
    await api.job(job_id)
    await as_role("viewer").post("/api/v1/queues/work/pause")
    await api.post("/api/v1/dead-letters/redrive", content="{")

    assert await _rows(api) == []


async def test_a_cancel_of_a_job_that_had_ended_is_done(api: Client) -> None:
    job_id = await api.enqueue()
    await api.tick()

    answer = await api.delete(f"/api/v1/jobs/{job_id}")

    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/job-ended")
    assert (await _rows(api))[0]["result"] == "done"


async def test_no_payload_of_a_body_is_in_the_audit(api: Client) -> None:
    body = {"ids": ["a.work"], "payload": "planted-1", "filter": {"payload": {"n": "planted-2"}}}
    await api.post("/api/v1/dead-letters/redrive", json=body)

    (failed, began) = await _rows(api)
    assert failed["result"] == "failed: InvalidRequest"
    assert "a.work" in began["object"]
    assert "planted" not in str((failed, began))


LONG = "~" * 400


@pytest.mark.parametrize(
    ("path", "body", "shown"),
    [
        (
            "dead-letters/redrive",
            {"cursor": LONG, "most": 1, "filter": {"error": LONG, "type": "x", "queue": "work"}},
            ['"queue":"work"', '"type":"x"', '"most":1'],
        ),
        (
            "dead-letters/redrive",
            {LONG: LONG, "x": [LONG] * 100, "filter": {"queue": "work"}},
            ['"filter":{"queue":"work"}'],
        ),
        ("dead-letters/redrive", {"ids": ["a.work"] * 999 + ["b.work"]}, ["a.work", "b.work"]),
        ("dead-letters/redrive", {"ids": [f"{n:04}.work" for n in range(999)]}, ["999 in all"]),
        ("dead-letters/redrive", {"ids": [LONG, "b.work"]}, ["b.work"]),
        ("archive/redrive", {"cursor": LONG, "filter": {"queue": "work"}}, ['"queue":"work"']),
        (
            "tokens",
            {"name": LONG, "rights": ["enqueue"] * 19 + ["manage"], "queues": [LONG] * 99},
            ['"enqueue","manage"'],
        ),
    ],
)
async def test_a_caller_s_long_values_hide_none_of_the_others(
    api: Client, path: str, body: dict[str, Any], shown: list[str]
) -> None:
    await api.post(f"/api/v1/{path}", json=body)

    for row in await _rows(api):
        assert [one for one in shown if one not in row["object"]] == []
        assert len(row["object"]) <= 300


@pytest.mark.parametrize(
    "hidden",
    [
        {"payload": "planted"},
        {"ids": [{"payload": "planted"}]},
        {"ids": [[[{"x": {"payload": ["planted"]}}]]]},
        {"ids": ["." * 77 + "planted-secret"]},
        {"planted-secret": 1},
    ],
)
async def test_neither_a_payload_nor_a_part_of_a_secret_is_in_the_audit(
    api: Client, hidden: dict[str, Any]
) -> None:
    keep_secret(["planted-secret"])
    await api.post("/api/v1/dead-letters/redrive", json=hidden)

    rows = await _rows(api)
    assert len(rows) == 2
    assert not re.search("pla", str(rows))


async def test_the_end_of_an_action_on_several_jobs_says_how_many(api: Client) -> None:
    for _ in range(3):
        await api.enqueue("fail", attempts=1)
    await api.tick()
    await api.enqueue()
    dead = "/api/v1/dead-letters/redrive"
    await api.post(dead, json={"filter": {"queue": "work"}, "most": 2})
    await api.post("/api/v1/queues/work/purge")
    await api.post(dead, json={"ids": ["none.work"]})

    results = [row["result"] for row in await _rows(api)]
    assert results == ["done: 0", "began", "done: 3", "began", "done: 2", "began"]


async def test_a_stored_token_is_named_by_its_id(
    app: Starlette, api: Client, store: Store, clock: FakeClock
) -> None:
    shop = TokenShop(app, store, clock)
    token = await shop.make("operator")
    async with shop.client(token) as client:
        await client.post("/api/v1/queues/work/pause")

    assert {row["who"] for row in await _rows(api)} == {f"token:{token.token.id}"}


async def test_an_action_costs_two_commands_more(api: Client, store: Store) -> None:
    await api.post("/api/v1/queues/work/pause")

    assert store.meter.by_verb["audit"] == 2


class TestHalfFailures:
    """The store fails before, within or after an action."""

    @pytest.fixture
    def lossy(self) -> list[LossyTransport]:
        return []

    @pytest.fixture
    def broken(self, world: World, clock: FakeClock, lossy: list[LossyTransport]) -> Starlette:
        """The same deployment, over a transport that loses requests."""

        def wrap(inner: Any) -> LossyTransport:
            lossy.append(LossyTransport(inner))
            return lossy[-1]

        return application(world, store_on(world.protocol, clock=clock, wrap=wrap), clock)

    @pytest.mark.parametrize(
        ("delivered", "status", "paused", "results"),
        [
            (0, 503, False, []),
            (1, 503, False, ["began"]),
            (2, 503, True, ["began"]),
            (3, 200, True, ["done", "began"]),
        ],
        ids=["the first row is lost", "the action fails", "the last row is lost", "all is well"],
    )
    async def test_nothing_is_done_without_a_row_nor_reported_as_done_without_its_end(
        self,
        broken: Starlette,
        api: Client,
        lossy: list[LossyTransport],
        delivered: int,
        status: int,
        results: list[str],
        *,
        paused: bool,
    ) -> None:
        await api.post("/api/v1/queues/work/resume")  # the store has the script
        before = len(await _rows(api))
        async with Client(broken, "admin-token-of-these-tests") as client:
            await client.get("/healthz")
            await client.get("/api/v1/stats")
            fates = [Fate.DELIVERED] * delivered + [Fate.LOST_BEFORE] * 1000
            lossy[0].script(*fates)
            response = await client.post("/api/v1/queues/work/pause")

        rows = await _rows(api)
        assert response.status_code == status
        assert [row["result"] for row in rows[: len(rows) - before]] == results
        assert (await api.get("/api/v1/queues/work")).json()["paused"] is paused

    async def test_a_row_whose_reply_was_lost_is_shown_once(
        self, broken: Starlette, api: Client, lossy: list[LossyTransport]
    ) -> None:
        async with Client(broken, "admin-token-of-these-tests") as client:
            await client.get("/api/v1/stats")
            lossy[0].script(Fate.LOST_AFTER)
            assert (await client.post("/api/v1/queues/work/pause")).status_code == 200

        assert [row["result"] for row in await _rows(api)] == ["done", "began"]


async def test_it_keeps_the_last_ten_thousand_rows(api: Client, probe: Probe) -> None:
    fill = "for i = 1, 20000 do redis.call('XADD', KEYS[1], '*', 'row', ARGV[1]) end return 1"
    row = '["a", "who", "verb", "object", "began"]'
    await probe.run("EVAL", fill, 1, "test:audit", row)
    await api.post("/api/v1/queues/work/pause")

    assert await probe.run("XLEN", "test:audit") == MOST_ROWS
    assert (await _rows(api))[0]["verb"] == "queues.pause"


async def test_pages_follow_each_other(api: Client) -> None:
    for _ in range(3):
        await api.post("/api/v1/queues/work/pause")
    first = (await api.get("/api/v1/audit?limit=4")).json()
    second = (await api.get(f"/api/v1/audit?limit=4&cursor={first['next']}")).json()

    assert first["rows"] + second["rows"] == await _rows(api)
    assert second["next"] is None
    assert (await api.get("/api/v1/audit?cursor=odd")).status_code == 422


async def test_refused_requests_are_counted_and_cost_their_caller_no_command(
    api: Client, as_role: Any, store: Store, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    nobody, viewer = as_role(None), as_role("viewer")
    for _ in range(3):
        await nobody.get("/api/v1/stats")
    await viewer.post("/api/v1/queues/work/pause")
    assert store.meter.requests == 0

    await api.get("/api/v1/stats")
    assert await store.access.counts() == {"401": 3, "403": 1}
    await viewer.post("/api/v1/queues/work/pause")
    await api.get("/api/v1/stats")
    assert await store.access.counts() == {"401": 3, "403": 1}  # not before a minute has passed
    clock.advance(60)
    await api.get("/api/v1/stats")
    assert await store.access.counts() == {"401": 3, "403": 2}

    assert [record.msg for record in caplog.records].count("requests_refused") == 1


@pytest.mark.parametrize("cursor", ["0-0", "00-000", "x", "", "1", "0-0-0", f"{'9' * 16}-0"])
async def test_a_cursor_of_no_row_is_refused(api: Client, cursor: str) -> None:
    assert (await api.get(f"/api/v1/audit?cursor={cursor}")).status_code == 422


@pytest.mark.parametrize("cursor", ["0-1", "1-0", f"{'9' * 15}-{'9' * 15}"])
async def test_any_other_cursor_has_a_page(api: Client, cursor: str) -> None:
    assert (await api.get(f"/api/v1/audit?cursor={cursor}")).status_code == 200
