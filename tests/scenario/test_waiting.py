"""How long jobs wait, counted from when they began to, and why a job waits that no drain takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from shared import Snooze
from shared.jobs.ids import child_id
from shared.store.keys import agenda, part
from shared.testing import FakeClock
from tests.scenario.world import Numbers, World
from tests.support.client import Client
from tests.support.turns import Owner, make_exclusive
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


async def test_a_suspect_says_how_it_will_run(api: Client, world: World, clock: FakeClock) -> None:
    """In a child process where there is one, unless a function died in spite of that."""
    job_id = await api.enqueue()
    await make_exclusive(world.store, world.work, clock)
    first = (await api.job(job_id))["explanation"]
    await Owner(world.store, world.work, "dead3").turn(1, exclusive=False, isolated=True)
    clock.advance(60)
    await Owner(world.store, world.work, "recovers later").turn(0)

    job = await api.job(job_id)

    assert first["code"] == "suspect"
    assert "it waits to run in a child process or exclusively" in first["detail"]
    assert (job["crashes"], job["explanation"]["code"]) == (1, "suspect")
    assert job["explanation"]["detail"].endswith("it waits to run exclusively")


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


@pytest.fixture
def minutely(world: World) -> None:
    world.app.schedule("minutely", world.work.types["double"], Numbers(n=1), every=60)


@pytest.mark.usefixtures("minutely")
async def test_every_job_tells_when_it_was_made_whoever_chose_its_id(
    world: World, clock: FakeClock, as_role: Callable[[str | None], Client]
) -> None:
    api = as_role("admin")
    work, ran = world.work, world.work.types["double"]
    before = time.time()
    parent = await api.enqueue()
    ids = [parent, await api.enqueue(job_id="own"), await api.enqueue(job_id="own2", delay=60),
           await api.enqueue("fail", job_id="fails", attempts=1, timeout=5)]  # fmt: skip
    child = await world.store.enqueue_one(work, ran.job(Numbers(n=1), job_id=child_id(parent, "c")))
    raw = '{"type": "double", "payload": {"n": 1}}'
    rest, prefix = world.store.rest, world.store.prefix
    await rest.execute(["RPUSH", part(prefix, "work", "inbox"), raw], "test")
    await rest.execute(["ZADD", agenda(prefix), 0, "work"], "test")
    await api.tick()
    clock.advance(120)
    await api.tick()

    states = ("waiting", "delayed", "completed", "dead")
    listed = [
        job
        for state in states
        for job in (await api.get(f"/api/v1/jobs?state={state}")).json()["jobs"]
    ]

    shown = {job["id"]: job["created_at"] for job in listed}
    assert {*ids, child.id} < set(shown)
    assert sum(job_id.startswith("~") for job_id in shown) == 3  # a child, an occurrence, an inbox
    for job_id, created_at in shown.items():
        assert created_at == (await api.job(job_id))["created_at"]
        made = datetime.fromisoformat(created_at).timestamp()
        assert before - 1 < made < time.time() + 121, job_id


async def test_the_instant_at_which_a_job_was_made_never_changes(
    api: Client, clock: FakeClock
) -> None:
    job_id = await api.enqueue("fail", job_id="own", attempts=2)
    made = (await api.job(job_id))["created_at"]
    for _ in range(2):
        await api.tick()
        clock.advance(60)
        assert (await api.job(job_id))["created_at"] == made
    await api.post(f"/api/v1/dead-letters/{job_id}/redrive")
    await api.enqueue("fail", job_id="own", attempts=2)

    assert (await api.job(job_id))["created_at"] == made
