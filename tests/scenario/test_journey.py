"""A job's life over HTTP: enqueued, drained by the cron route, looked at, cancelled."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from shared.testing import FakeClock
from tests.scenario.world import JOBS, Client, World


async def test_a_job_is_enqueued_drained_by_cron_and_shows_its_result(api: Client) -> None:
    response = await api.post(JOBS, json={"type": "double", "payload": {"n": 21}})
    job_id = response.json()["id"]

    assert response.status_code == 202
    assert response.json() == {"id": job_id, "state": "waiting", "duplicate": False}
    assert response.headers["location"] == f"/api/v1/jobs/{job_id}"
    assert job_id.endswith(".work")
    waiting = await api.job(job_id)
    assert (waiting["state"], waiting["explanation"]["code"]) == ("waiting", "waiting")

    report = await api.tick()

    assert (report["stop"], report["claimed"], report["outcomes"]) == ("empty", 1, {"done": 1})
    assert report["store"]["requests"] >= 2
    assert report["seconds"]["left"] > 0
    done = await api.job(job_id)
    assert (done["state"], done["result"], done["attempts"]) == ("completed", {"twice": 42}, 1)
    assert (done["progress"], done["explanation"], done["error"]) == (50, None, None)
    assert done["ended_at"] is not None


async def test_many_jobs_are_answered_one_by_one_in_order(api: Client, world: World) -> None:
    good = {"type": "double", "payload": {"n": 1}}
    jobs = [
        good,
        {"type": "double", "payload": {"n": "x"}},
        {"type": "nothing", "payload": {}},
        "not a job",
        {"type": "double", "payload": {"n": 2, "note": "x" * 3000}},
        good,
    ]

    response = await api.post(JOBS, json={"jobs": jobs})

    assert response.status_code == 202
    answers = response.json()["jobs"]
    assert [a["error"]["type"] if "error" in a else a["state"] for a in answers] == [
        "waiting",
        "/problems/invalid-payload",
        "/problems/unknown-type",
        "/problems/invalid-request",
        "/problems/payload-too-large",
        "waiting",
    ]
    assert answers[1]["error"]["errors"][0]["field"] == "payload.n"
    assert (await api.tick())["outcomes"] == {"done": 2}
    assert world.ran == [answers[0]["id"], answers[5]["id"]]


async def test_a_thousand_jobs_go_in_one_request_and_one_more_is_refused(api: Client) -> None:
    job = {"type": "double", "payload": {"n": 1}}

    accepted = await api.post(JOBS, json={"jobs": [job] * 1000})
    refused = await api.post(JOBS, json={"jobs": [job] * 1001})

    assert accepted.status_code == 202
    assert len({answer["id"] for answer in accepted.json()["jobs"]}) == 1000
    assert refused.status_code == 422
    stats = (await api.get("/api/v1/queues/work")).json()
    assert stats["counts"]["waiting"] == 1000


async def test_a_delayed_job_says_until_when_and_runs_then(api: Client, clock: FakeClock) -> None:
    due = datetime.fromtimestamp(clock.epoch_ms() / 1000, UTC) + timedelta(hours=1)
    by_delay = await api.enqueue(delay=3600)
    by_instant = await api.enqueue(run_at=due.isoformat())

    for job_id in (by_delay, by_instant):
        job = await api.job(job_id)
        assert (job["state"], job["explanation"]["code"]) == ("delayed", "delayed")
        assert job["explanation"]["until"] == job["due_at"]
        assert abs(datetime.fromisoformat(job["due_at"]) - due) < timedelta(milliseconds=2)
    assert (await api.tick())["claimed"] == 0

    clock.advance(3601)

    assert (await api.tick())["outcomes"] == {"done": 2}


async def test_an_instant_in_the_past_or_in_another_zone_is_just_an_instant(api: Client) -> None:
    past = await api.enqueue(run_at="2001-01-01T00:00:00-11:30")

    assert (await api.job(past))["state"] == "waiting"


async def test_urgent_jobs_run_before_ordinary_ones(api: Client, world: World) -> None:
    low, normal, high = [await api.enqueue(priority=p) for p in ("low", "normal", "high")]

    await api.tick()

    assert world.ran == [high, normal, low]
    assert (await api.job(high))["priority"] == "high"


async def test_a_failing_job_waits_is_tried_again_and_ends_dead(
    api: Client, clock: FakeClock
) -> None:
    job_id = await api.enqueue("fail", n=7)
    await api.tick()

    retrying = await api.job(job_id)
    assert (retrying["state"], retrying["explanation"]["code"]) == ("delayed", "retry")
    assert retrying["error"]["message"] == "no file number 7"
    assert retrying["error"]["type"] == "ValueError"

    clock.advance(11)
    await api.tick()

    dead = await api.job(job_id)
    assert (dead["state"], dead["attempts"], len(dead["errors"])) == ("dead", 2, 2)
    assert dead["explanation"] is None


async def test_a_jobs_own_attempts_and_backoff_win_over_its_queues(
    api: Client, clock: FakeClock
) -> None:
    once = await api.enqueue("fail", attempts=1)
    waits = await api.enqueue("fail", backoff=[30, 60])
    fixed = await api.enqueue("fail", backoff={"type": "fixed", "delay": 7200})
    plain = await api.enqueue("fail", backoff=20)
    growing = await api.enqueue(
        "fail", attempts=4, backoff={"type": "exponential", "delay": 50, "factor": 3, "cap": 300}
    )
    start = clock.epoch_ms() / 1000
    await api.tick()

    assert (await api.job(once))["state"] == "dead"
    for job_id, wait in ((waits, 30), (fixed, 7200), (plain, 20), (growing, 50)):
        due = datetime.fromisoformat((await api.job(job_id))["due_at"]).timestamp()
        assert abs(due - start - wait) < 1, (job_id, due - start)


async def test_a_waiting_job_is_cancelled_at_once_and_twice_is_once(
    api: Client, world: World
) -> None:
    job_id = await api.enqueue()

    first = await api.delete(f"/api/v1/jobs/{job_id}")
    again = await api.delete(f"/api/v1/jobs/{job_id}")

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == {"id": job_id, "state": "cancelled"}
    await api.tick()
    assert world.ran == []
    assert (await api.job(job_id))["state"] == "cancelled"


async def test_a_running_jobs_cancellation_is_requested_and_then_happens(
    api: Client, world: World
) -> None:
    hanging = await api.enqueue("hang")
    await api.enqueue("gate")  # its end makes the drain's next turn, which learns of the request
    draining = asyncio.create_task(api.tick())
    await world.started.wait()

    active = await api.job(hanging)
    cancelled = await api.delete(f"/api/v1/jobs/{hanging}")
    cancelling = await api.job(hanging)
    world.release.set()
    report = await draining

    assert (active["state"], active["explanation"], active["cancel_requested"]) == (
        "active",
        None,
        False,
    )
    assert active["lease_until"] is not None
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "active")
    assert cancelling["cancel_requested"] is True
    assert report["outcomes"] == {"cancelled": 1, "done": 1}
    assert (await api.job(hanging))["state"] == "cancelled"


async def test_a_job_that_has_ended_can_not_be_cancelled(api: Client) -> None:
    job_id = await api.enqueue()
    await api.tick()

    response = await api.delete(f"/api/v1/jobs/{job_id}")

    assert response.status_code == 409
    assert response.json()["state"] == "completed"


async def test_a_paused_queue_keeps_its_jobs_until_it_is_resumed(api: Client) -> None:
    job_id = await api.enqueue()

    paused = await api.post("/api/v1/queues/work/pause")
    report = await api.tick()
    job = await api.job(job_id)
    health = await api.get("/api/v1/health")
    resumed = await api.post("/api/v1/queues/work/resume")

    assert paused.json() == {"queue": "work", "paused": True, "was_paused": False}
    assert report["claimed"] == 0
    assert (job["state"], job["explanation"]["code"]) == ("waiting", "paused")
    assert health.json()["queues"]["work"]["status"] == "paused"
    assert resumed.json() == {"queue": "work", "paused": False, "was_paused": True}
    assert (await api.tick())["outcomes"] == {"done": 1}


async def test_a_limited_job_says_until_when(api: Client) -> None:
    body = {"type": "double", "payload": {"n": 1}}
    answers = await api.post("/api/v1/queues/slow/jobs", json={"jobs": [body, body]})
    second = answers.json()["jobs"][1]["id"]

    report = await api.tick()
    job = await api.job(second)

    assert (report["stop"], report["claimed"]) == ("limited", 1)
    assert job["explanation"]["code"] == "limited"
    until = datetime.fromisoformat(job["explanation"]["until"]).timestamp()
    assert 0 < until - datetime.now(UTC).timestamp() < 601


async def test_purging_deletes_what_waits_and_keeps_what_has_ended(api: Client) -> None:
    done = await api.enqueue()
    await api.tick()
    waiting = await api.enqueue()
    await api.enqueue(delay=60)

    response = await api.post("/api/v1/queues/work/purge")

    assert response.json() == {"queue": "work", "purged": 2, "next": None}
    assert (await api.get(f"/api/v1/jobs/{waiting}")).status_code == 404
    assert (await api.job(done))["state"] == "completed"


async def test_a_tick_can_be_narrowed_to_named_queues(api: Client) -> None:
    await api.enqueue()
    await api.post("/api/v1/queues/slow/jobs", json={"type": "double", "payload": {"n": 1}})

    report = await api.tick("?queue=slow,odd")

    assert set(report["queues"]) == {"slow", "odd"}
    assert report["claimed"] == 1
    assert set((await api.tick())["queues"]) == {"work"}


async def test_an_idle_tick_is_one_command(api: Client) -> None:
    await api.tick()  # the first tick of a process also looks for lost work

    report = await api.tick()

    assert (report["stop"], report["queues"]) == ("idle", {})
    assert report["store"]["billed_commands"] == 1


async def test_numbers_keep_their_kind_and_every_digit(api: Client) -> None:
    text = (
        '{"big":9007199254740993123,"negative":-170141183460469231731687303715884105729,'
        '"float":1.0,"int":1,"tiny":-0.0,"empty":{},"list":[],"nul":"\\u0000","word":"Infinity"}'
    )
    sent = await api.post(JOBS, content=f'{{"type":"echo","payload":{{"n":1,"more":{text}}}}}')
    await api.tick()

    answer = await api.get(f"/api/v1/jobs/{sent.json()['id']}")

    assert answer.json()["state"] == "completed"
    assert f'"result":{text}' in answer.text


async def test_queues_and_stats_count_by_state(api: Client, clock: FakeClock) -> None:
    await api.enqueue()
    await api.tick()
    await api.enqueue("fail", attempts=1)
    await api.tick()
    waiting = await api.enqueue()
    await api.enqueue(delay=99)
    clock.advance(400)

    queues = (await api.get("/api/v1/queues")).json()["queues"]
    stats = (await api.get("/api/v1/stats")).json()
    health = (await api.get("/api/v1/health")).json()

    work = queues[0]
    assert [queue["name"] for queue in queues] == ["work", "slow", "odd"]
    assert work["counts"] == {
        "waiting": 1, "delayed": 1, "active": 0, "parked": 0,
        "completed": 1, "cancelled": 0, "dead": 1,
    }  # fmt: skip
    assert (work["oldest_waiting"], work["concurrency"]) == (waiting, 3)
    assert 399 < work["oldest_age"] < 460
    assert (work["totals"]["done"], work["totals"]["dead"]) == (1, 1)
    assert work["types"]["double"]["observed"] == 1
    assert queues[1]["limit"]["rate"] == 1
    assert stats["counts"] == work["counts"]
    assert stats["queues"]["work"] == work
    assert health["status"] == "behind"
    assert health["queues"]["slow"]["status"] == "ok"
