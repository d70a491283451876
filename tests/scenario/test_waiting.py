"""How long jobs wait, counted from when they began to, and why a job waits that nobody drains."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared import Snooze
from shared.testing import FakeClock
from tests.scenario.world import World
from tests.support.client import Client
from tests.support.values import Number


async def health(api: Client) -> tuple[str, float | None]:
    """Status of the queue "work", and the age of its oldest waiting job in whole minutes."""
    queue = (await api.get("/api/v1/health")).json()["queues"]["work"]
    age = queue["oldest_age"]
    return queue["status"], None if age is None else round(age / 60)


async def test_a_job_with_an_id_of_its_caller_has_an_age(api: Client, clock: FakeClock) -> None:
    await api.enqueue(job_id="own")
    clock.advance(600)

    assert await health(api) == ("behind", 10)


async def test_a_redriven_job_waits_since_its_redrive(api: Client, clock: FakeClock) -> None:
    job_id = await api.enqueue("fail", attempts=1)
    await api.tick()
    clock.advance(840)
    await api.post(f"/api/v1/dead-letters/{job_id}/redrive")

    clock.advance(18)

    assert await health(api) == ("ok", 0)
    job = await api.job(job_id)
    assert job["waiting_since"] > job["created_at"]


async def test_the_oldest_of_several_priorities_counts(api: Client, clock: FakeClock) -> None:
    await api.enqueue(priority="low", job_id="z")
    clock.advance(600)
    await api.enqueue(priority="high", job_id="a")
    await api.enqueue(delay=30)

    queue = (await api.get("/api/v1/queues/work")).json()

    assert await health(api) == ("behind", 10)
    assert queue["oldest_waiting"] == "z.work"


async def test_a_job_that_no_drain_comes_for_says_since_when(api: Client, clock: FakeClock) -> None:
    await api.enqueue()
    await api.tick()
    turned = (await api.get("/api/v1/queues/work")).json()["last_turn_at"]
    job_id = await api.enqueue()
    assert (await api.job(job_id))["explanation"]["code"] == "waiting"

    clock.advance(600)

    job = await api.job(job_id)
    assert job["explanation"]["code"] == "no_tick"
    since = job["explanation"]["detail"].partition(" since ")[2][:19]
    last = max(turned, job["waiting_since"])
    assert since == f"{datetime.fromisoformat(last):%Y-%m-%d %H:%M:%S}"


async def test_a_queue_tells_its_last_turn(api: Client) -> None:
    before = (await api.get("/api/v1/queues/work")).json()["last_turn_at"]
    await api.enqueue()
    await api.tick()

    after: Any = (await api.get("/api/v1/queues/work")).json()["last_turn_at"]
    assert before is None
    assert datetime.fromisoformat(after).tzinfo is not None


async def test_a_job_that_failed_and_then_snoozed_is_snoozed(
    api: Client, world: World, clock: FakeClock
) -> None:
    errors = iter([ValueError("no"), Snooze(300)])

    @world.work.job("moody")
    async def moody(payload: Number) -> None:
        raise next(errors)

    job_id = await api.enqueue("moody")
    await api.tick()
    assert (await api.job(job_id))["explanation"]["code"] == "retry"
    clock.advance(11)
    await api.tick()

    job = await api.job(job_id)

    assert (job["state"], job["attempts"]) == ("delayed", 1)
    assert job["explanation"]["code"] == "snoozed"
