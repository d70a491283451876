"""Schedules over HTTP, as an operator uses them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.testing import FakeClock
from tests.scenario.world import Client, Numbers, World

SCHEDULE = "/api/v1/schedules/scenario/hourly"
AsRole = Callable[[str | None], Client]


@pytest.fixture(autouse=True)
def hourly(world: World) -> None:
    world.app.schedule("hourly", world.work.types["double"], Numbers(n=1), cron="@hourly")


async def test_a_schedule_shows_its_next_and_its_last_occurrences(
    as_role: AsRole, clock: FakeClock
) -> None:
    operator = as_role("operator")
    assert (await operator.get(SCHEDULE)).json()["known"] is False
    await operator.tick()
    clock.advance(3600)
    await operator.tick()

    (listed,) = (await as_role("viewer").get("/api/v1/schedules")).json()["schedules"]
    shown = (await as_role("viewer").get(SCHEDULE)).json()

    assert (listed["cron"], listed["queue"], listed["known"]) == ("@hourly", "work", True)
    assert len(shown["next"]) == 5
    assert shown["next"] == sorted(shown["next"])
    assert [run["state"] for run in shown["last"]] == ["completed"]
    job = await operator.job(shown["last"][0]["id"])
    assert job["result"] == {"twice": 2}


async def test_what_ran_is_shown_and_nothing_from_before_the_schedule(
    as_role: AsRole, clock: FakeClock, world: World
) -> None:
    operator = as_role("operator")

    async def last() -> list[tuple[str | None, bool]]:
        shown = (await operator.get(SCHEDULE)).json()["last"]
        assert [run["planned"] for run in shown] == sorted(
            (r["planned"] for r in shown), reverse=True
        )
        return [(run["state"], run["manual"]) for run in shown]

    assert await last() == []
    await operator.tick()
    assert await last() == []
    clock.advance(60)
    manual = (await operator.post(f"{SCHEDULE}/run")).json()["id"]
    assert await last() == [("waiting", True)]
    clock.advance(3600)
    assert await last() == [("waiting", True)]  # the occurrence is due; it stands in `next`
    await operator.tick()
    assert await last() == [("completed", False), ("completed", True)]
    clock.advance(2 * 3600)
    await operator.tick()  # one of two occurrences was missed
    assert await last() == [
        ("completed", False), (None, False), ("completed", False), ("completed", True)
    ]  # fmt: skip
    assert manual in world.ran


async def test_the_last_five_of_many_runs_are_shown(as_role: AsRole, clock: FakeClock) -> None:
    operator = as_role("operator")
    await operator.tick()
    ids = []
    for _ in range(7):
        clock.advance(1)
        ids.append((await operator.post(f"{SCHEDULE}/run")).json()["id"])

    shown = (await operator.get(SCHEDULE)).json()["last"]

    assert [run["id"] for run in shown] == ids[:1:-1]


async def test_pause_resume_and_run_now(as_role: AsRole, clock: FakeClock, world: World) -> None:
    operator = as_role("operator")
    await operator.tick()
    assert (await operator.post(f"{SCHEDULE}/pause")).json()["was_paused"] is False
    assert (await operator.post(f"{SCHEDULE}/pause")).json()["was_paused"] is True
    clock.advance(7200)
    await operator.tick()
    assert world.ran == []
    assert (await operator.get(SCHEDULE)).json()["next"] == []

    run = await operator.post(f"{SCHEDULE}/run")
    assert run.status_code == 202
    await operator.tick()
    assert world.ran == [run.json()["id"]]
    assert (await operator.post(f"{SCHEDULE}/resume")).json()["was_paused"] is True
    clock.advance(3600)
    await operator.tick()

    assert len(world.ran) == 2


async def test_an_unknown_schedule_is_told_with_the_known_ones(as_role: AsRole) -> None:
    for path in ("/api/v1/schedules/scenario/daily", "/api/v1/schedules/x/hourly"):
        answer = await as_role("viewer").get(path)
        assert answer.status_code == 404
        assert "known: scenario/hourly" in answer.json()["detail"]
