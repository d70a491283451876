"""A queue at its bounds over HTTP: 507 before a write, and room again after a drain."""

from __future__ import annotations

import pytest

from shared.web import queues
from tests.scenario.world import JOBS, Client, World
from tests.support.probe import Probe

ENQUEUE = {"type": "double", "payload": {"n": 1}}


@pytest.fixture
def small(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queue "work" holds three jobs at most, ended ones included, of which it retains none."""
    object.__setattr__(world.work, "max_jobs", 3)
    object.__setattr__(world.work.completed, "count", 0)


@pytest.mark.usefixtures("small")
async def test_a_full_queue_refuses_with_507_and_drains_and_accepts_again(
    api: Client, probe: Probe
) -> None:
    for _ in range(3):
        await api.enqueue()
    before = await probe.snapshot("work")

    refused = await api.post(JOBS, json=ENQUEUE)

    assert refused.status_code == 507
    assert refused.json()["type"] == "/problems/queue-full"
    assert int(refused.headers["Retry-After"]) > 0
    assert await probe.snapshot("work") == before
    await api.tick()
    assert (await api.post(JOBS, json=ENQUEUE)).status_code == 202


@pytest.mark.usefixtures("small")
async def test_each_job_of_a_bulk_is_stored_or_refused_by_itself(api: Client) -> None:
    answers = (await api.post(JOBS, json={"jobs": [ENQUEUE] * 5})).json()["jobs"]

    assert ["id" in answer for answer in answers] == [True] * 3 + [False] * 2
    assert {answer["error"]["status"] for answer in answers[3:]} == {507}

    assert {answer["error"]["retry_after"] for answer in answers[3:]} == {60}


@pytest.mark.usefixtures("small")
async def test_all_refusals_of_a_request_are_one_line_of_the_log(
    api: Client, caplog: pytest.LogCaptureFixture
) -> None:
    answers = (await api.post(JOBS, json={"jobs": [ENQUEUE] * 200})).json()["jobs"]

    assert sum("error" in answer for answer in answers) == 197
    (line,) = [one for one in caplog.records if one.getMessage() == "request_failed"]
    assert (vars(line)["problem"], vars(line)["count"]) == ("queue-full", 197)


@pytest.mark.usefixtures("small")
async def test_a_refused_request_with_a_key_succeeds_when_it_is_repeated_later(api: Client) -> None:
    for _ in range(3):
        await api.enqueue()
    headers = {"Idempotency-Key": "once"}
    assert (await api.post(JOBS, json=ENQUEUE, headers=headers)).status_code == 507
    await api.tick()

    repeated = await api.post(JOBS, json=ENQUEUE, headers=headers)
    again = await api.post(JOBS, json=ENQUEUE, headers=headers)

    assert repeated.status_code == 202
    assert again.json() == repeated.json()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("room", [0, 1, 2])
async def test_a_repeated_bulk_with_a_key_stores_what_was_refused_and_nothing_twice(
    api: Client, world: World, room: int
) -> None:
    for _ in range(3 - room):
        await api.enqueue()
    body, headers = {"jobs": [ENQUEUE] * 3}, {"Idempotency-Key": "once"}

    first = await api.post(JOBS, json=body, headers=headers)
    await api.tick()
    second = await api.post(JOBS, json=body, headers=headers)
    third = await api.post(JOBS, json=body, headers=headers)
    await api.tick()

    assert (first.status_code, second.status_code) == (202, 202)
    assert ["id" in one for one in first.json()["jobs"]] == [True] * room + [False] * (3 - room)
    assert second.json()["jobs"][:room] == first.json()["jobs"][:room]
    assert all("id" in one for one in second.json()["jobs"])
    assert third.json() == second.json()
    assert len(set(world.ran)) == len(world.ran) == 3 - room + 3


async def test_jobs_delayed_for_a_year_fill_a_queue_to_its_bytes_and_no_further(
    api: Client, world: World
) -> None:
    object.__setattr__(world.work, "max_bytes", 100_000)
    job = {"type": "double", "payload": {"n": 1, "note": "x" * 2000}}
    year = {**job, "options": {"delay": 365 * 86_400}}

    answers = []
    for _ in range(5):
        answers += (await api.post(JOBS, json={"jobs": [year] * 30})).json()["jobs"]

    usage = (await api.get("/api/v1/queues/work")).json()["usage"]
    stored = sum("id" in answer for answer in answers)
    assert usage["bytes"] <= 100_000
    assert 45 <= stored == usage["jobs"]
    assert {answer["error"]["status"] for answer in answers if "error" in answer} == {507}
    assert (await api.post(JOBS, json=year)).status_code == 507


async def test_the_numbers_of_a_queue_tell_its_usage_and_bounds(api: Client, world: World) -> None:
    await api.enqueue()

    usage = (await api.get("/api/v1/queues/work")).json()["usage"]

    assert usage["jobs"] == 1
    assert 0 < usage["bytes"] < 500
    assert (usage["max_jobs"], usage["max_bytes"]) == (world.work.max_jobs, world.work.max_bytes)


async def test_a_purge_that_runs_out_of_time_says_where_to_go_on(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        await api.post(JOBS, json={"jobs": [ENQUEUE] * 400})
    monkeypatch.setattr(queues, "PURGE_SECONDS", 0.0)

    first = (await api.post("/api/v1/queues/work/purge")).json()
    second = (await api.post(first["next"])).json()

    assert (first["purged"], second) == (500, {"queue": "work", "purged": 300, "next": None})
