"""Producers that enqueue single jobs over HTTP at the same time."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel, field_validator

from shared.testing import FakeClock
from tests.scenario.world import JOBS, TOKENS, Client, World, application

parsed: list[int] = []
"""The payloads that the model below has read."""


class Parsed(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def count(cls, value: int) -> int:
        parsed.append(value)
        return value


async def test_thirty_two_single_enqueues_at_once_cost_less_than_one_and_a_half_commands_each(
    world: World, clock: FakeClock
) -> None:
    store = world.client(latency=0.01)
    bodies = [{"type": "double", "payload": {"n": n}} for n in range(32)]
    bodies[20] = {"type": "double", "payload": {"n": "no number"}}
    async with Client(application(world, store, clock), TOKENS["admin"]) as api:
        await api.post(JOBS, json=bodies[0])
        await api.post(JOBS, json={"jobs": bodies[:2]})
        before = store.meter.snapshot()

        responses = await asyncio.gather(*(api.post(JOBS, json=body) for body in bodies))

        used = store.meter.since(before)
        stored = [response.json()["id"] for response in responses if response.status_code == 202]
        counts = (await api.get("/api/v1/queues/work")).json()["counts"]

    print(f"32 enqueues at once: {used.commands} commands in {used.requests} requests")
    assert [response.status_code for response in responses] == [
        422 if n == 20 else 202 for n in range(32)
    ]
    assert len(set(stored)) == 31
    assert counts["waiting"] == 1 + 2 + 31
    assert used.commands <= 1.5 * 32


async def test_a_lone_enqueue_costs_five_commands_and_one_request(
    world: World, clock: FakeClock
) -> None:
    store = world.client()
    body = {"type": "double", "payload": {"n": 1}}
    async with Client(application(world, store, clock), TOKENS["admin"]) as api:
        await api.post(JOBS, json=body)
        before = store.meter.snapshot()

        await api.post(JOBS, json=body)

        used = store.meter.since(before)
    assert (used.commands, used.requests) == (5, 1)


async def test_other_requests_are_answered_while_a_bulk_is_parsed(
    api: Client, world: World
) -> None:
    parsed.clear()

    @world.work.job("parsed")
    async def handle(payload: Parsed) -> None: ...

    jobs = [{"type": "parsed", "payload": {"n": n}} for n in range(1000)]
    bulk = asyncio.create_task(api.post(JOBS, json={"jobs": jobs}))
    while not parsed:  # noqa: ASYNC110 - until the bulk has had its first turn
        await asyncio.sleep(0)
    health = await api.get("/healthz")
    before = len(parsed)

    assert (health.status_code, (await bulk).status_code) == (200, 202)
    assert before < len(parsed) == 1000
