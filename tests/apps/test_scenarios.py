"""What the documents demand of the running applications: floods, failures, shutdown, restart.
Several functions drain at once, in virtual time, against the stand-ins of the providers. Real
processes that end: test_processes.py."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from functions.apps import APPS
from functions.apps.documents import generate_docs
from functions.apps.provisioning import AccessGrant, grant_access
from functions.apps.weather import Garment, extract_colors, review_upload
from functions.demo.standins import StandIns
from functions.demo.standins.tradingview import UNKNOWN
from shared import Queue
from shared.declare.app import Registry
from shared.declare.queue import JobType
from shared.drain.budget import Budget
from shared.drain.consumer import BATCH
from shared.drain.drain import Drain
from shared.store import Store
from shared.testing import FakeClock, run_job
from tests.faults.test_many_functions import within_limit
from tests.scenario.world import TOKENS, Client, application
from tests.support.world import World

from .cases import EACH, SCRIPT, fill_trades, grant
from .conftest import Play
from .outside import failing

FUNCTIONS = 4
WINDOW = 60.0
SECTIONS = ("Overview", "Use", "Care")
SLACK_MS = 50
"""By how much a request may come later than the token of its job."""
pytestmark = pytest.mark.usefixtures("folder")
UNFINISHED = ("waiting", "delayed", "active", "parked")


@dataclass(frozen=True)
class ServedApps:
    """All applications, as a deployment serves them."""

    registry: Registry


def api(world: World) -> Client:
    """The HTTP API of all applications, by an administrator's token."""
    return Client(
        application(ServedApps(Registry(APPS)), world.store, world.clock), TOKENS["admin"]
    )


async def enqueue(
    client: Client, queue: str, kind: str, *payloads: Any, **options: Any
) -> list[str]:
    """Enqueue over HTTP; the jobs' ids."""
    jobs = [{"type": kind, "payload": payload, "options": options} for payload in payloads]
    answer = await client.post(f"/api/v1/queues/{queue}/jobs", json={"jobs": jobs})
    assert answer.status_code == 202, answer.text
    return [job["id"] for job in answer.json()["jobs"]]


async def counts(client: Client, queue: str) -> dict[str, int]:
    """The queue's jobs by state."""
    answer = await client.get(f"/api/v1/queues/{queue}")
    found: dict[str, int] = answer.json()["counts"]
    return found


def function(world: World, store: Store, *, batch: int = BATCH) -> Drain:
    """One invocation of a function that serves all applications."""
    return Drain(store, Registry(APPS), Budget.of(WINDOW, clock=world.clock), batch=batch)


async def drain(world: World, client: Client, queue: Queue, functions: int = FUNCTIONS) -> None:
    """Ticks of several functions at once, until each job of the queue has ended."""
    await asyncio.gather(*(ticks(world, client, queue, world.client()) for _ in range(functions)))


async def race(world: World, client: Client, queue: Queue) -> list[int]:
    """The same by functions none of which can do the work alone: each holds two jobs at most, and
    together more than the queue may run. How many jobs each of them has ended."""
    stores = [world.client(latency=0.01 * number) for number in range(1, FUNCTIONS + 1)]
    return await asyncio.gather(*(ticks(world, client, queue, one, batch=2) for one in stores))


async def ticks(
    world: World, client: Client, queue: Queue, store: Store, *, batch: int = BATCH
) -> int:
    """Invocations of one function, until each job of the queue has ended; how many it has done."""
    done = 0
    while True:
        report = await function(world, store, batch=batch).run([queue])
        done += report.outcomes["done"]
        found = await counts(client, queue.name)
        if not any(found[state] for state in UNFINISHED):
            return done
        await world.clock.sleep(1)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("jobs", [100, 500])
def test_a_flood_of_grants_runs_five_at_a_time_and_ten_a_second(
    play: Play, standins: StandIns, folder: Path, jobs: int
) -> None:
    async def story(world: World) -> None:
        async with api(world) as client:
            users = [f"trader-{n}" for n in range(jobs)]
            await enqueue(client, "provisioning", "access.grant", *map(grant, users))
            shares[:] = await race(world, client, grant_access.queue)
            # A grant and an email are two jobs of the same queue.
            took = world.clock.monotonic() - site.faults.starts[0]
            assert took <= 1.3 * 2 * jobs / 10

    site, shares = standins.tradingview, list[int]()
    play(story)

    assert sum(shares) == 2 * jobs
    assert sum(share > 0 for share in shares) >= 3
    starts = [round(at * 1000) for at in site.faults.starts]
    assert site.faults.most_at_once == 5
    assert site.added == {(f"trader-{n}", SCRIPT): 1 for n in range(jobs)}
    assert within_limit(starts, rate=10, burst=10, slack_ms=SLACK_MS)
    assert len(list((folder / "mail").glob("*.eml"))) == jobs


@pytest.mark.timeout(180)
@pytest.mark.parametrize("jobs", [100, 500])
def test_a_flood_of_photographs_runs_five_at_a_time(
    play: Play, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    """The queue as declared. What decodes a photograph stands still here: a hundred processes would
    measure the machine."""
    active, most, done, shares = 0, 0, list[str](), list[int]()

    async def look(garment: Garment) -> None:
        nonlocal active, most
        active, most = active + 1, max(most, active + 1)
        await asyncio.sleep(2)
        active -= 1
        done.append(garment.garment)

    stub = replace(extract_colors, handler=look, isolate=None, shape=review_upload.shape)
    stub = replace(stub, shape=stub.shape._replace(model=Garment))
    monkeypatch.setitem(extract_colors.queue.types, extract_colors.name, stub)

    async def story(world: World) -> None:
        async with api(world) as client:
            garments = [{"garment": f"g{n}", "image": "file:x.jpg"} for n in range(jobs)]
            await enqueue(client, "color-extraction", "color.extract", *garments)
            racing = asyncio.create_task(race(world, client, extract_colors.queue))
            await world.clock.sleep(5)
            found = await counts(client, "color-extraction")
            assert found["active"] == 5
            assert found["waiting"] > jobs - 30
            shares[:] = await racing

    play(story)

    assert most == 5
    assert sum(shares) == jobs
    assert sum(share > 0 for share in shares) >= 3
    assert sorted(done) == sorted(f"g{n}" for n in range(jobs))


@EACH
def test_a_job_that_fails_twice_succeeds_at_its_third_attempt(
    play: Play, standins: StandIns, folder: Path, clock: FakeClock,
    job_type: JobType[Any], payload: BaseModel, provider: str,
) -> None:  # fmt: skip
    fill_trades(folder)
    failures = iter([503, 503])

    def serve(_request: httpx.Request) -> httpx.Response | None:
        status = next(failures, None)
        return None if status is None else httpx.Response(status)

    async def story(world: World) -> None:
        began = clock.monotonic()
        with failing(provider, serve):
            view = await run_job(world.store, job_type, payload, clock=clock)
        assert (view.state, view.attempts) == ("completed", 3)
        # The least that jitter leaves of them.
        waits = sum(job_type.retry.delay_after(attempt, lambda: 1.0) for attempt in (1, 2))
        assert clock.monotonic() - began >= waits

    play(story)


@EACH
def test_a_permanent_failure_is_a_dead_letter_that_can_be_redriven(
    play: Play, folder: Path, clock: FakeClock,
    job_type: JobType[Any], payload: BaseModel, provider: str,
) -> None:  # fmt: skip
    fill_trades(folder)
    queue = job_type.queue.name

    async def story(world: World) -> None:
        async with api(world) as client:
            with failing(provider, lambda _request: httpx.Response(503)):
                view = await run_job(world.store, job_type, payload, clock=clock)
            assert (view.state, view.attempts) == ("dead", job_type.retry.attempts)
            page = (await client.get(f"/api/v1/dead-letters?queue={queue}")).json()
            (letter,) = page["dead_letters"]
            assert letter["error"]["type"] == "HTTPStatusError"
            redriven = await client.post(f"/api/v1/dead-letters/{letter['id']}/redrive")
            assert redriven.json()["redriven"]
            await drain(world, client, job_type.queue)
            assert (await client.job(letter["id"]))["state"] == "completed"

    play(story)


def test_what_a_provider_refuses_for_good_is_dead_at_once(play: Play, clock: FakeClock) -> None:
    unknown = AccessGrant.model_validate(grant(UNKNOWN))

    async def story(world: World) -> None:
        view = await run_job(world.store, grant_access, unknown, clock=clock)
        assert (view.state, view.attempts) == ("dead", 1)
        assert "there is no user nobody" in view.history["errors"][0]["message"]

    play(story)


def test_a_grant_that_is_enqueued_twice_happens_once(
    play: Play, standins: StandIns, folder: Path
) -> None:
    async def story(world: World) -> None:
        async with api(world) as client:
            body = {"type": "access.grant", "payload": grant("ada")}
            path, headers = "/api/v1/queues/provisioning/jobs", {"Idempotency-Key": "order-7"}
            answers = [await client.post(path, json=body, headers=headers) for _ in range(3)]
            assert len({answer.json()["id"] for answer in answers}) == 1
            await drain(world, client, grant_access.queue)
            again = await client.post(path, json=body, headers=headers)
            assert again.json()["id"] == answers[0].json()["id"]
            await drain(world, client, grant_access.queue)

    play(story)

    assert standins.tradingview.faults.requests == 1
    assert len(list((folder / "mail").glob("*.eml"))) == 1


def test_a_shutdown_lets_jobs_end_or_gives_them_back_and_loses_none(
    play: Play, standins: StandIns
) -> None:
    """SIGTERM stops a drain: no job is begun, and those that run have a moment to end. The rest is
    done by the next function."""

    async def story(world: World) -> None:
        async with api(world) as client:
            users = [f"trader-{n}" for n in range(30)]
            ids = await enqueue(client, "provisioning", "access.grant", *map(grant, users))
            first = function(world, world.client())
            draining = asyncio.create_task(first.run([grant_access.queue]))
            await world.clock.sleep(0.8)
            first.stop()
            report = await draining
            begun = standins.tradingview.faults.requests
            assert report.stop == "shutdown"
            assert 0 < report.outcomes["done"] < len(ids)
            await world.clock.sleep(30)
            assert standins.tradingview.faults.requests == begun, "a job began after the shutdown"
            await drain(world, client, grant_access.queue)
            jobs = [await client.job(job_id) for job_id in ids]
            assert {job["state"] for job in jobs} == {"completed"}
            assert {job["attempts"] for job in jobs} == {1}

    play(story)


def test_documents_show_their_progress_and_go_on_after_a_restart(
    play: Play, standins: StandIns
) -> None:
    """Five documents at once; the function ends while they are written, and another one goes on. No
    section is paid for twice."""
    titles = [f"Kettle {n}" for n in range(5)]
    requests = [
        {"title": title, "pages": ["file:kettle.md"], "sections": SECTIONS} for title in titles
    ]

    async def story(world: World) -> None:
        async with api(world) as client:
            queue = generate_docs.queue
            ids = await enqueue(client, queue.name, "generate-docs", *requests)
            first = function(world, world.client())
            draining = asyncio.create_task(first.run([queue]))
            await world.clock.sleep(5.5)
            assert (await counts(client, queue.name))["active"] == 5
            shown = [(await client.job(job_id))["progress"] for job_id in ids]
            assert all(0 < progress < 100 for progress in shown), shown
            first.stop()
            await draining
            assert (await counts(client, queue.name))["waiting"] == 5
            await drain(world, client, queue, functions=1)
            jobs = [await client.job(job_id) for job_id in ids]
            assert {(job["state"], job["progress"]) for job in jobs} == {("completed", 100)}

    play(story)

    # Five documents have one text: each section of it is asked for by each, and by some of those
    # that the end of the function cut off, once more.
    answered = standins.openai.answered
    assert len(answered) == len(SECTIONS)
    assert all(5 <= count <= 10 for count in answered.values())
    assert answered.total() <= 5 * len(SECTIONS) + 5
