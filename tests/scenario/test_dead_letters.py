"""Dead letters over HTTP: listed by filter and cursor, shown, redriven, deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.deadletters import pages as dead_pages
from shared.testing import FakeClock
from tests.scenario.world import Client, World

DEAD = "/api/v1/dead-letters"


async def kill(api: Client, clock: FakeClock, count: int = 1, start: int = 0) -> list[str]:
    """So many jobs dead, one after the other; oldest first."""
    ids = []
    for n in range(start, start + count):
        ids.append(await api.enqueue("fail", n=n, attempts=1))
        await api.tick()
        clock.advance(1)
    return ids


async def pages(api: Client, **params: Any) -> list[list[str]]:
    listed: list[list[str]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = (await api.get(DEAD, params={**params, **cursor})).json()
        listed.append([row["id"] for row in answer["dead_letters"]])
        if answer["next"] is None:
            return listed
        cursor = {"cursor": answer["next"]}


def flat(listed: list[list[str]]) -> list[str]:
    return [job_id for page in listed for job_id in page]


async def test_a_dead_letter_shows_its_error_and_to_operators_its_payload(
    api: Client, clock: FakeClock, as_role: Callable[[str | None], Client]
) -> None:
    (job_id,) = await kill(api, clock, start=7)

    (row,) = (await api.get(DEAD)).json()["dead_letters"]
    shown = (await as_role("operator").get(f"{DEAD}/{job_id}")).json()
    hidden = (await as_role("viewer").get(f"{DEAD}/{job_id}")).json()

    assert (row["id"], row["queue"], row["type"], row["attempts"]) == (job_id, "work", "fail", 1)
    assert row["error"]["message"] == "no file number 7"
    assert "payload" not in row
    assert shown["payload"] == {"n": 7}
    assert hidden == {**shown, "payload": None}


async def test_pages_go_from_new_to_old_over_all_queues_without_gap_or_repeat(
    api: Client, clock: FakeClock, world: World
) -> None:
    ids = await kill(api, clock, 3)
    body = {"type": "fail", "payload": {"n": 0}, "options": {"attempts": 1}}
    at_once = await api.post("/api/v1/queues/work/jobs", json={"jobs": [body] * 4})
    await api.tick()
    world.slow_queue.job("fail")(world.fail)
    await api.post("/api/v1/queues/slow/jobs", json=body)
    await api.tick()

    by_two = await pages(api, limit=2)

    assert [len(page) for page in by_two] == [2, 2, 2, 2]
    ids_listed = flat(by_two)
    assert ids_listed == flat(await pages(api))
    assert ids_listed[-3:] == ids[::-1]
    assert set(ids_listed[:-3]) > {answer["id"] for answer in at_once.json()["jobs"]}
    assert len(set(ids_listed)) == 8


async def test_filters_narrow_by_queue_type_and_text_in_the_error(
    api: Client, clock: FakeClock
) -> None:
    ids = await kill(api, clock, 12)

    assert await pages(api, error="NUMBER 11") == [[ids[11]]]
    assert await pages(api, error="number 1", limit=2) == [[ids[11], ids[10]], [ids[1]]]
    assert await pages(api, queue="slow") == [[]]
    assert await pages(api, type="double") == [[]]
    assert flat(await pages(api, queue="work", type="fail", limit=5)) == ids[::-1]


async def test_a_page_goes_on_where_it_was_though_its_rows_are_gone(
    api: Client, clock: FakeClock
) -> None:
    body = {"type": "fail", "payload": {"n": 0}, "options": {"attempts": 1}}
    await api.post("/api/v1/queues/work/jobs", json={"jobs": [body] * 9})
    await api.tick()  # nine that died in very few instants
    expected = flat(await pages(api, limit=100))

    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = (await api.get(DEAD, params={"limit": 2, **cursor})).json()
        for row in answer["dead_letters"]:
            seen.append(row["id"])
            await api.delete(f"{DEAD}/{row['id']}")
        if answer["next"] is None:
            break
        cursor = {"cursor": answer["next"]}

    assert seen == expected
    assert len(seen) == 9


async def test_a_long_list_is_read_in_pages_of_the_store(api: Client, clock: FakeClock) -> None:
    body = {"type": "fail", "payload": {"n": 0}, "options": {"attempts": 1}}
    await api.post("/api/v1/queues/work/jobs", json={"jobs": [body] * 130})
    await api.tick()

    listed = await pages(api, limit=60)

    assert [len(page) for page in listed] == [60, 60, 10]
    assert len({job_id for page in listed for job_id in page}) == 130


async def test_a_redriven_job_runs_again_and_twice_is_once(
    api: Client, clock: FakeClock, world: World
) -> None:
    (job_id,) = await kill(api, clock)
    world.broken = False

    first = await api.post(f"{DEAD}/{job_id}/redrive")
    again = await api.post(f"{DEAD}/{job_id}/redrive")
    await api.tick()

    assert first.json() == {"id": job_id, "redriven": True, "state": None}
    assert again.json() == {"id": job_id, "redriven": False, "state": "waiting"}
    job = await api.job(job_id)
    assert (job["state"], job["redrives"]) == ("completed", 1)
    assert (await api.get(f"{DEAD}/{job_id}")).status_code == 404


async def test_many_are_redriven_by_id(api: Client, clock: FakeClock) -> None:
    ids = await kill(api, clock, 3)
    living = await api.enqueue()

    answer = await api.post(f"{DEAD}/redrive", json={"ids": [ids[0], ids[2], living, ids[0]]})

    verdicts = {job["id"]: job["redriven"] for job in answer.json()["jobs"]}
    assert verdicts == {ids[0]: True, ids[2]: True, living: False}
    assert answer.json()["redriven"] == 2
    assert await pages(api) == [[ids[1]]]


async def test_many_are_redriven_by_filter_at_their_callers_pace(
    api: Client, clock: FakeClock, world: World
) -> None:
    ids = await kill(api, clock, 5)
    world.broken = False
    body: dict[str, Any] = {"filter": {"queue": "work", "error": "file number"}, "most": 2}

    counts = []
    while True:
        answer = (await api.post(f"{DEAD}/redrive", json=body)).json()
        counts.append(answer["redriven"])
        if answer["next"] is None:
            break
        body["cursor"] = answer["next"]
    await api.tick()

    assert counts == [2, 2, 1]
    assert [(await api.job(job_id))["state"] for job_id in ids] == ["completed"] * 5


async def test_one_is_deleted_for_good_and_only_a_dead_one(api: Client, clock: FakeClock) -> None:
    (job_id,) = await kill(api, clock)
    done = await api.enqueue()
    await api.tick()

    deleted = await api.delete(f"{DEAD}/{job_id}")
    again = await api.delete(f"{DEAD}/{job_id}")
    not_dead = await api.delete(f"{DEAD}/{done}")

    assert deleted.json() == {"id": job_id, "deleted": True}
    assert (again.status_code, not_dead.status_code) == (404, 404)
    assert (await api.job(done))["state"] == "completed"


async def test_a_redrive_whose_name_is_taken_is_a_conflict_and_the_job_stays_dead(
    api: Client, clock: FakeClock
) -> None:
    dead = await api.enqueue("fail", attempts=1, dedup="daily")
    await api.tick()
    holder = await api.enqueue("fail", dedup="daily", delay=60)
    assert holder != dead

    refused = await api.post(f"{DEAD}/{dead}/redrive")
    many = await api.post(f"{DEAD}/redrive", json={"ids": [dead]})

    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/name-taken")
    assert "holds its deduplication name 'daily'" in refused.json()["detail"]
    assert many.json()["redriven"] == 0
    assert (await api.job(dead))["state"] == "dead"


async def test_a_page_ends_where_it_has_read_enough_bytes(
    api: Client, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Histories may be large: a search that finds nothing reads no more of them for that."""
    ids = await kill(api, clock, 7)
    monkeypatch.setattr(dead_pages, "MOST_BYTES", 1)

    assert await pages(api) == [[job_id] for job_id in reversed(ids)]
    assert await pages(api, error="nothing says this") == [[]] * len(ids)
