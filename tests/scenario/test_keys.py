"""Limits of keys over HTTP: "10 operations a minute a user", refused or deferred as declared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import permutations
from typing import Any

import httpx
import pytest

from shared import KeyLimit, RateLimit
from shared.embedded.engine import Engine
from shared.testing import FakeClock
from tests.scenario.world import Client, World
from tests.support.probe import Probe

TEN_A_MINUTE = KeyLimit(rate=RateLimit(10, per=60))
REFUSING, DEFERRING = "/api/v1/queues/calls/jobs", "/api/v1/queues/mails/jobs"


@pytest.fixture
async def world(engine: Engine, clock: FakeClock) -> AsyncIterator[World]:
    """Two queues more: jobs of type "double" have the user `u<n>` as their key."""
    async with World(engine, clock) as opened:
        calls = opened.app.queue("calls", per_key=TEN_A_MINUTE, if_limited="refuse")
        mails = opened.app.queue("mails", per_key=TEN_A_MINUTE)
        for queue in (calls, mails):
            queue.job("double", key=lambda payload: f"u{payload.n}")(opened.double)
            queue.job("given")(opened.double)
        yield opened


def job(user: int = 1, **options: Any) -> dict[str, Any]:
    return {"type": "double", "payload": {"n": user}, "options": options}


async def test_of_twenty_racing_producers_ten_get_through_and_ten_are_told_when_to_come_back(
    api: Client, probe: Probe
) -> None:
    answers = await asyncio.gather(*(api.post(REFUSING, json=job()) for _ in range(20)))

    refused = [answer for answer in answers if answer.status_code == 429]
    assert sorted(answer.status_code for answer in answers) == [202] * 10 + [429] * 10
    assert len((await probe.snapshot("calls"))["records"]) == 10
    for answer in refused:
        assert answer.json()["type"] == "/problems/key-limited"
        assert answer.headers["Retry-After"] == "6"
        assert answer.headers["RateLimit-Policy"] == '"per-key";q=10;w=60'
        assert answer.headers["RateLimit"] == '"per-key";r=0;t=6'


async def test_a_refused_key_is_open_again_after_its_wait_and_others_never_were_shut(
    api: Client, clock: FakeClock, probe: Probe
) -> None:
    for _ in range(10):
        await api.post(REFUSING, json=job())
    before = await probe.snapshot("calls")

    refused = await api.post(REFUSING, json=job())

    assert refused.status_code == 429
    assert await probe.snapshot("calls") == before  # nothing was written
    assert (await api.post(REFUSING, json=job(2))).status_code == 202
    clock.advance(int(refused.headers["Retry-After"]))
    assert (await api.post(REFUSING, json=job())).status_code == 202
    assert (await api.post(REFUSING, json=job())).status_code == 429


async def test_what_was_let_in_runs_without_another_token(api: Client, world: World) -> None:
    for _ in range(10):
        await api.post(REFUSING, json=job())

    await api.tick()

    assert len(world.ran) == 10


async def test_a_repeated_request_takes_no_second_token(api: Client) -> None:
    for _ in range(3):
        answer = await api.post(REFUSING, json=job(job_id="mine"))
        assert answer.status_code == 202

    answers = [(await api.post(REFUSING, json=job())).status_code for _ in range(10)]

    assert answers == [202] * 9 + [429]


async def test_each_job_of_a_bulk_is_let_in_or_refused_by_itself(api: Client) -> None:
    body = {"jobs": [job(1)] * 12 + [job(2)]}

    answers = (await api.post(REFUSING, json=body)).json()["jobs"]

    assert ["id" in answer for answer in answers] == [True] * 10 + [False] * 2 + [True]
    assert {(a["error"]["status"], a["error"]["retry_after"]) for a in answers[10:12]} == {(429, 6)}


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "once"}])
@pytest.mark.parametrize("users", list(permutations((1, 2, 3))))
async def test_a_refused_job_of_a_bulk_holds_up_no_other_wherever_it_stands(
    api: Client, headers: dict[str, str], users: tuple[int, ...]
) -> None:
    await api.post(REFUSING, json={"jobs": [job(1)] * 10})
    body = {"jobs": [job(user) for user in users]}

    answer = await api.post(REFUSING, json=body, headers=headers)

    assert answer.status_code == 202
    assert ["id" in one for one in answer.json()["jobs"]] == [user != 1 for user in users]
    refused = answer.json()["jobs"][users.index(1)]["error"]
    assert (refused["status"], refused["retry_after"]) == (429, 6)


@pytest.mark.parametrize("users", [(1, 2, 3), (2, 1, 3), (2, 3, 1)])
async def test_a_repeat_of_a_partly_refused_bulk_sends_only_what_was_refused(
    api: Client, clock: FakeClock, probe: Probe, users: tuple[int, ...]
) -> None:
    await api.post(REFUSING, json={"jobs": [job(1)] * 10})
    body, headers = {"jobs": [job(user) for user in users]}, {"Idempotency-Key": "once"}
    first = (await api.post(REFUSING, json=body, headers=headers)).json()["jobs"]

    soon = (await api.post(REFUSING, json=body, headers=headers)).json()["jobs"]
    clock.advance(6)
    later = [(await api.post(REFUSING, json=body, headers=headers)).json()["jobs"] for _ in "ab"]

    assert soon == first
    assert later[0] == later[1]
    same = [again == before for again, before in zip(later[0], first, strict=True)]
    assert same == [user != 1 for user in users]
    assert len((await probe.snapshot("calls"))["records"]) == 10 + 3


@pytest.mark.parametrize(
    "other",
    [[1], [2], [4], [4, 5, 6], [3, 2, 1], [2, 3], [4] * 600],
    ids=lambda users: str(users[:4]),
)
@pytest.mark.parametrize("users", [(1, 2, 3), (2, 1, 3), (2, 3, 1), (1, 1, 2)])
async def test_the_key_of_a_partly_refused_bulk_takes_no_other_request(
    api: Client, probe: Probe, users: tuple[int, ...], other: list[int]
) -> None:
    await api.post(REFUSING, json={"jobs": [job(1)] * 10})
    headers = {"Idempotency-Key": "once"}
    await api.post(REFUSING, json={"jobs": [job(user) for user in users]}, headers=headers)
    before = await probe.snapshot("calls")

    bulk = await api.post(REFUSING, json={"jobs": [job(n) for n in other]}, headers=headers)
    single = await api.post(REFUSING, json=job(other[0]), headers=headers)

    assert (bulk.status_code, single.status_code) == (422, 422)
    assert bulk.json()["type"] == "/problems/idempotency-mismatch"
    assert await probe.snapshot("calls") == before


async def test_a_bulk_of_which_nothing_was_stored_leaves_its_key_free(api: Client) -> None:
    await api.post(REFUSING, json={"jobs": [job(1)] * 10})
    headers = {"Idempotency-Key": "once"}

    refused = await api.post(REFUSING, json={"jobs": [job(1)] * 2}, headers=headers)
    other = await api.post(REFUSING, json={"jobs": [job(2)]}, headers=headers)

    assert ["id" in one for one in refused.json()["jobs"]] == [False, False]
    assert "id" in other.json()["jobs"][0]


async def test_a_deferred_job_says_why_it_waits_and_when_it_starts(
    api: Client, world: World, clock: FakeClock
) -> None:
    answers: list[httpx.Response] = [await api.post(DEFERRING, json=job()) for _ in range(12)]
    await api.tick()

    shown = [await api.job(answer.json()["id"]) for answer in answers]

    assert [one["state"] for one in shown] == ["completed"] * 10 + ["delayed"] * 2
    assert [one["explanation"]["code"] for one in shown[10:]] == ["key_limited"] * 2
    assert [gate["code"] for gate in shown[11]["gates"]] == ["key_limited"]
    assert "1 of that key start before it" in shown[11]["explanation"]["detail"]
    assert shown[10]["explanation"]["until"] < shown[11]["explanation"]["until"]
    clock.advance(12)
    await api.tick()
    assert len(world.ran) == 12


async def test_the_busiest_keys_are_shown(api: Client) -> None:
    for user in (1, 1, 2):
        await api.post(DEFERRING, json={"jobs": [job(user)] * 8})
    await api.tick()

    page = (await api.get("/api/v1/queues/mails/keys")).json()

    assert (page["rate"], page["known"]) == ({"rate": 10, "per": 60, "burst": 10}, 2)
    rows = [(row["key"], row["backlog"], row["tokens"]) for row in page["keys"]]
    assert rows == [("u1", 6, 0), ("u2", 0, 2)]
    assert (await api.get("/api/v1/queues/mails")).json()["counts"]["delayed"] == 6
    assert len((await api.get("/api/v1/queues/mails/keys?limit=1")).json()["keys"]) == 1


async def test_a_declared_key_can_not_be_given_away(api: Client) -> None:
    other = await api.post(DEFERRING, json=job(1, key="u2"))
    same = await api.post(DEFERRING, json=job(1, key="u1"))

    assert (other.status_code, same.status_code) == (422, 202)
    assert other.json()["type"] == "/problems/invalid-option"


async def test_a_job_of_a_backlog_can_be_cancelled_and_purged(api: Client, world: World) -> None:
    answers = [(await api.post(DEFERRING, json=job())).json()["id"] for _ in range(14)]
    await api.tick()

    cancelled = await api.delete(f"/api/v1/jobs/{answers[10]}")
    listed = (await api.get("/api/v1/jobs?state=delayed&queue=mails&limit=2")).json()
    rest = (await api.get(f"/api/v1/jobs?state=delayed&limit=2&cursor={listed['next']}")).json()
    purged = await api.post("/api/v1/queues/mails/purge")

    assert cancelled.json()["state"] == "cancelled"
    assert [job["id"] for job in listed["jobs"] + rest["jobs"]] == answers[11:]
    assert purged.json()["purged"] == 3
    counts = (await api.get("/api/v1/queues/mails")).json()["counts"]
    assert (counts["delayed"], counts["cancelled"], counts["completed"]) == (0, 1, 10)
    assert len(world.ran) == 10
