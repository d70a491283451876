"""Repeated requests have one effect: idempotency keys, deduplication, own ids."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.testing import FakeClock
from tests.scenario.world import JOBS, Client, World
from tests.support.probe import Probe

ONE = {"type": "double", "payload": {"n": 1}}
TWO = {"type": "double", "payload": {"n": 2}}


async def send(api: Client, body: Any, key: str) -> Any:
    return await api.post(JOBS, json=body, headers={"Idempotency-Key": key})


async def test_the_same_key_and_body_have_the_same_answer_and_one_job(
    api: Client, world: World
) -> None:
    first = await send(api, ONE, "k-1")
    again = await send(api, ONE, '"k-1"')
    await api.tick()
    later = await send(api, {"payload": {"n": 1}, "type": "double"}, "k-1")

    assert first.status_code == again.status_code == later.status_code == 202
    assert first.json() == again.json() == later.json()
    assert len(world.ran) == 1


async def test_the_same_key_with_another_body_is_refused_and_changes_nothing(
    api: Client, probe: Probe
) -> None:
    await send(api, ONE, "k")
    before = await probe.snapshot("work")

    response = await send(api, TWO, "k")

    assert response.status_code == 422
    assert response.json()["type"] == "/problems/idempotency-mismatch"
    assert await probe.snapshot("work") == before


async def test_another_key_is_another_job(api: Client) -> None:
    first, second = await send(api, ONE, "a"), await send(api, ONE, "b")

    assert first.json()["id"] != second.json()["id"]


async def test_a_key_is_forgotten_after_a_day(api: Client, clock: FakeClock) -> None:
    first = await send(api, ONE, "k")
    clock.advance(24 * 3600 - 1)
    within = await send(api, ONE, "k")
    clock.advance(2)
    after = await send(api, TWO, "k")

    assert within.json() == first.json()
    assert after.status_code == 202
    assert after.json()["id"] != first.json()["id"]


async def test_one_of_ten_concurrent_requests_with_a_key_makes_the_job(
    api: Client, world: World
) -> None:
    answers = await asyncio.gather(*(send(api, ONE, "k") for _ in range(10)))
    await api.tick()

    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(world.ran) == 1


@pytest.mark.parametrize("option", [{"dedup": {"id": "daily"}}, {"job_id": "order-7"}])
async def test_a_duplicates_answer_is_repeated_even_when_the_first_job_has_ended(
    api: Client, world: World, option: dict[str, Any]
) -> None:
    await api.post(JOBS, json={**ONE, "options": option})
    first = await send(api, {**TWO, "options": option}, "k")
    await api.tick()
    again = await send(api, {**TWO, "options": option}, "k")
    await api.tick()

    assert first.json()["duplicate"] is True
    assert again.json() == first.json()
    assert len(world.ran) == 1


async def test_a_bulk_request_with_a_key_is_repeated_as_a_whole(api: Client, world: World) -> None:
    bulk = {"jobs": [{"type": "no"}, ONE, ONE, TWO]}

    first = await send(api, bulk, "k")
    again = await send(api, bulk, "k")
    await api.tick()

    assert first.json() == again.json()
    assert [("error" in answer) for answer in first.json()["jobs"]] == [True, False, False, False]
    assert len(set(world.ran)) == len(world.ran) == 3


async def test_a_bulk_key_with_another_body_stores_not_even_the_new_ones(
    api: Client, probe: Probe
) -> None:
    await send(api, {"jobs": [ONE]}, "k")
    before = await probe.snapshot("work")

    longer = await send(api, {"jobs": [ONE, TWO, TWO]}, "k")
    other_first = await send(api, {"jobs": [{"type": "no"}, TWO]}, "k")
    single = await send(api, TWO, "k")

    assert [r.status_code for r in (longer, other_first, single)] == [422, 422, 422]
    assert await probe.snapshot("work") == before


async def test_an_own_id_is_the_same_job_however_often_it_is_sent(
    api: Client, world: World
) -> None:
    first = await api.post(JOBS, json={**ONE, "options": {"job_id": "order-7"}})
    again = await api.post(JOBS, json={**ONE, "options": {"job_id": "order-7"}})
    await api.tick()

    assert first.json() == {"id": "order-7.work", "state": "waiting", "duplicate": False}
    assert again.json() == {"id": "order-7.work", "state": "waiting", "duplicate": True}
    assert world.ran == ["order-7.work"]


async def test_a_named_duplicate_is_refused_until_the_first_has_ended(api: Client) -> None:
    first = await api.post(JOBS, json={**ONE, "options": {"dedup": {"id": "daily"}}})
    twin = await api.post(JOBS, json={**TWO, "options": {"dedup": {"id": "daily"}}})
    await api.tick()
    after = await api.post(JOBS, json={**ONE, "options": {"dedup": {"id": "daily"}}})

    assert twin.json()["id"] == first.json()["id"]
    assert [r.json()["duplicate"] for r in (first, twin, after)] == [False, True, False]


async def test_a_window_outlasts_the_jobs_end(api: Client, clock: FakeClock) -> None:
    options = {"dedup": {"id": "hourly", "ttl": 3600}}
    first = await api.post(JOBS, json={**ONE, "options": options})
    await api.tick()
    within = await api.post(JOBS, json={**ONE, "options": options})
    clock.advance(3601)
    after = await api.post(JOBS, json={**ONE, "options": options})

    assert [r.json()["duplicate"] for r in (first, within, after)] == [False, True, False]


async def test_without_an_id_the_same_content_is_a_duplicate_whatever_its_order(
    api: Client,
) -> None:
    bodies = [
        {"type": "echo", "payload": {"n": 1, "more": {"a": 1, "b": [2]}}},
        {"type": "echo", "payload": {"more": {"b": [2], "a": 1}, "n": 1}},
        {"type": "echo", "payload": {"n": 1, "more": {"a": 1, "b": [2, 3]}}},
        {"type": "double", "payload": {"n": 1, "more": {"a": 1, "b": [2]}}},
    ]

    answers = [(await api.post(JOBS, json={**b, "options": {"dedup": {}}})).json() for b in bodies]

    assert [answer["duplicate"] for answer in answers] == [False, True, False, False]


async def test_a_key_in_the_options_is_that_job_s_alone(api: Client) -> None:
    def job(n: int, key: str) -> dict[str, Any]:
        return {"type": "double", "payload": {"n": n}, "options": {"idempotency_key": key}}

    first = (await api.post(JOBS, json={"jobs": [job(1, "a"), job(2, "b")]})).json()["jobs"]
    again = (await api.post(JOBS, json={"jobs": [job(2, "b"), job(9, "a")]})).json()["jobs"]
    both = await api.post(JOBS, json=job(1, "a"), headers={"Idempotency-Key": "a"})

    assert again[0] == first[1]
    assert again[1]["error"]["type"] == "/problems/idempotency-mismatch"
    assert (both.status_code, "give one" in both.text) == (422, True)
