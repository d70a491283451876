"""Stored tokens by role and by queue: every route with every role, and no queue but their own."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.applications import Starlette

from shared import Completed, JobContext
from shared.access.rights import RIGHTS, ROLES
from shared.store import Store, keys
from shared.testing import FakeClock
from shared.web.routes import ROUTES
from tests.scenario.test_access import path_of
from tests.scenario.tokens import NEEDS, OPENED_BY, OWN, TokenShop
from tests.scenario.world import Client, Numbers, World, application

BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/api/v1/dead-letters/redrive"): {"ids": ["none.work"]},
    ("POST", "/api/v1/archive/redrive"): {"rows": [1]},
    ("POST", "/api/v1/queues/{queue}/jobs"): {"type": "double", "payload": {"n": 1}},
}
FOREIGN = re.compile(r"\b(slow|odd)\b")
"""The other queues' names, as words: a random id may well hold their letters."""
ARCHIVE = "/api/v1/archive"
"""Its routes answer 404 here, where there is no archive; tests/archive calls them with one."""


@pytest.fixture
def shop(app: Starlette, store: Store, clock: FakeClock) -> TokenShop:
    return TokenShop(app, store, clock)


def test_the_tables_of_this_test_have_every_route() -> None:
    assert {(one.method, one.path): one.access for one in ROUTES} == NEEDS
    assert {(one.method, one.path) for one in ROUTES if one.own} == OWN
    assert OPENED_BY.keys() | {"payloads"} == {*RIGHTS, "public"}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("method", "path"), NEEDS)
async def test_a_role_opens_its_routes_and_no_other(
    shop: TokenShop, store: Store, role: str, method: str, path: str
) -> None:
    token = await shop.make(role)
    before = store.meter.requests
    async with shop.client(token) as client:
        response = await client.request(method, path_of(path), json=BODIES.get((method, path)))

    if role in OPENED_BY[NEEDS[method, path]]:
        assert response.status_code not in (401, 403)
    elif (method, path) in OWN and role == "producer":
        assert response.status_code == 404
    else:
        assert response.status_code == 403
        assert response.json()["type"] == "/problems/forbidden"
        assert store.meter.requests - before == 1  # the tokens, and nothing behind them


async def test_an_account_without_rights_opens_nothing(shop: TokenShop) -> None:
    async with await shop.client_of() as client:
        for method, path in NEEDS:
            if NEEDS[method, path] != "public":
                assert (await client.request(method, path_of(path))).status_code == 403


@pytest.mark.parametrize("role", ROLES)
async def test_payloads_and_results_are_for_those_who_have_the_right(
    shop: TokenShop, api: Client, role: str
) -> None:
    if role not in OPENED_BY["read"]:
        return
    done = await api.enqueue("double", n=3)
    dead = await api.enqueue("fail", n=4, attempts=1)
    await api.tick()
    async with await shop.client_of(role) as client:
        result = (await client.job(done))["result"]
        payload = (await client.get(f"/api/v1/dead-letters/{dead}")).json()["payload"]

    sees = role != "viewer"
    assert (result, payload and payload["n"]) == (({"twice": 6}, 4) if sees else (None, None))


class TestQueues:
    """Tokens that are limited to queue "work"."""

    @pytest.fixture
    async def limited(self, shop: TokenShop) -> Client:
        return await shop.client_of("admin", queues=["work"])

    @pytest.mark.parametrize("queue", ["slow", "odd", "there-is-none"])
    async def test_another_queue_is_refused_whether_it_exists_or_not(
        self, limited: Client, api: Client, queue: str
    ) -> None:
        existing = await api.enqueue("double", queue="slow")
        texts = set()
        for method, path in NEEDS:
            if not re.search(r"\{(queue|id|app)\}", path):
                continue
            filled = path.replace("{queue}", queue).replace("{id}", f"none.{queue}")
            filled = filled.replace("{app}", "scenario").replace("{name}", queue)
            for one in {filled, filled.replace(f"none.{queue}", existing)}:
                response = await limited.request(method, one, json=BODIES.get((method, path)))
                assert response.status_code == 403, (method, one)
                texts.add(response.text)

        assert len(texts) == 1
        assert queue not in texts.pop()

    @pytest.mark.parametrize(
        ("method", "path"),
        [route for route, need in NEEDS.items() if "{" not in route[1] and need != "public"],
    )
    async def test_what_is_not_about_one_queue_shows_only_its_own_or_is_refused(
        self, limited: Client, api: Client, method: str, path: str
    ) -> None:
        for queue in ("work", "slow"):
            await api.enqueue("double", queue=queue)
        query = "?state=waiting" if path == "/api/v1/jobs" else ""
        response = await limited.request(method, path + query, json=BODIES.get((method, path)))

        operation = next(one for one in ROUTES if (one.method, one.path) == (method, path))
        opened = 404 if path.startswith(ARCHIVE) else 200
        assert response.status_code == (opened if operation.filters else 403)
        assert not FOREIGN.search(response.text)
        if path in ("/api/v1/queues", "/api/v1/stats", "/api/v1/health", "/api/v1/jobs"):
            assert "work" in response.text

    @pytest.mark.parametrize(
        "request_",
        [
            ("GET", "/api/v1/jobs?state=waiting&queue=slow", None),
            ("GET", "/api/v1/dead-letters?queue=slow", None),
            ("POST", "/api/v1/dead-letters/redrive", {"filter": {"queue": "slow"}}),
            ("POST", "/api/v1/dead-letters/redrive", {"ids": ["a.work", "b.slow"]}),
            ("POST", "/api/v1/dead-letters/redrive", {"ids": ["no-queue-at-all"]}),
            ("POST", "/api/cron/drain?queue=slow", None),
            ("POST", "/api/cron/drain?queue=work,slow", None),
            ("GET", "/api/v1/jobs/without-a-queue", None),
        ],
    )
    async def test_a_query_or_a_body_that_names_another_queue_is_refused(
        self, limited: Client, request_: tuple[str, str, Any]
    ) -> None:
        method, path, body = request_

        response = await limited.request(method, path, json=body)

        assert response.status_code == 403
        assert not FOREIGN.search(response.text)

    async def test_a_queue_that_is_declared_no_more_tells_nothing_of_those_that_are(
        self, shop: TokenShop
    ) -> None:
        async with await shop.client_of("admin", queues=["former"]) as client:
            for (method, path), need in NEEDS.items():
                if need == "public" or path in ("/api/v1/jobs", "/api/v1/dead-letters/redrive"):
                    continue
                filled = path.replace("{queue}", "former").replace("{id}", "a.former")
                filled = filled.replace("{app}", "scenario").replace("{name}", "former")
                response = await client.request(method, filled, json=BODIES.get((method, path)))
                assert response.status_code in (200, 403, 404), filled
                for other in ("work", "slow", "odd"):
                    assert other not in response.text

    @pytest.mark.parametrize("end", ["then", "on_dead"])
    @pytest.mark.parametrize("bulk", [False, True])
    async def test_follow_ups_reach_no_other_queue(
        self, limited: Client, store: Store, end: str, *, bulk: bool
    ) -> None:
        texts = set()
        for queue in ("slow", "there-is-none"):
            inner = {"type": "double", "payload": {"n": 1}, "queue": queue}
            middle = {"type": "double", "payload": {"n": 1}, "options": {end: [inner]}}
            for follow_up in (inner, middle):
                job = {"type": "double", "payload": {"n": 1}, "options": {end: [follow_up]}}
                body = {"jobs": [job]} if bulk else job
                response = await limited.post("/api/v1/queues/work/jobs", json=body)
                texts.add(response.text.replace(f"{end}.0.options.{end}.0", f"{end}.0"))
                refused = response.json()["jobs"][0]["error"] if bulk else response.json()
                assert refused["status"] == 422

        assert len(texts) == 1
        assert "limited to some queues" in texts.pop()
        assert "enqueue" not in store.meter.by_verb

    async def test_a_tick_drains_its_own_queues_only(
        self, shop: TokenShop, api: Client, world: World
    ) -> None:
        ours, theirs = [await api.enqueue("double", queue=queue) for queue in ("work", "slow")]
        async with await shop.client_of("cron", queues=["work"]) as client:
            report = await client.tick()

        assert list(report["queues"]) == ["work"]
        assert world.ran == [ours]
        assert (await api.job(theirs))["state"] == "waiting"

    @pytest.mark.parametrize("queues", [["work"], ["odd", "work"], ["odd", "slow", "work"]])
    async def test_an_idle_tick_is_two_commands_however_many_queues_it_has(
        self, shop: TokenShop, store: Store, queues: list[str]
    ) -> None:
        async with await shop.client_of("cron", queues=queues) as client:
            await client.tick()
            report = await client.tick()

        assert report["store"]["billed_commands"] == 2

    async def test_it_finds_what_the_agenda_lost_on_its_own_queues(
        self, shop: TokenShop, api: Client, world: World, store: Store
    ) -> None:
        ours, theirs = [await api.enqueue("double", queue=queue) for queue in ("work", "slow")]
        await world.engine.execute(["DEL", keys.agenda(store.prefix)])
        async with await shop.client_of("cron", queues=["work"]) as client:
            await client.tick()

        assert world.ran == [ours]
        assert (await api.tick())["queues"].keys() == {"slow"}  # a whole tick sweeps by itself
        assert world.ran == [ours, theirs]

    async def test_without_a_queue_that_is_declared_it_drains_none(
        self, shop: TokenShop, api: Client
    ) -> None:
        job_id = await api.enqueue()
        async with await shop.client_of("cron", queues=["former"]) as client:
            assert (await client.post("/api/cron/drain")).status_code == 403

        assert (await api.job(job_id))["state"] == "waiting"

    async def test_it_reaches_its_own_queue(self, limited: Client) -> None:
        job_id = await limited.enqueue()
        assert (await limited.job(job_id))["state"] == "waiting"
        assert (await limited.get("/api/v1/queues/work")).status_code == 200


class TestSchedules:
    """Schedules belong to the queue of their jobs."""

    async def test_a_schedule_of_another_queue_is_neither_seen_nor_switched(
        self, world: World, store: Store, clock: FakeClock
    ) -> None:
        for queue in (world.work, world.slow_queue):
            job_type = queue.types["double"]
            world.app.schedule(f"on-{queue.name}", job_type, Numbers(n=1), every=3600)
        shop = TokenShop(application(world, store, clock), store, clock)
        async with await shop.client_of("operator", queues=["work"]) as client:
            listed = (await client.get("/api/v1/schedules")).json()["schedules"]
            ours = await client.post("/api/v1/schedules/scenario/on-work/pause")
            theirs = await client.post("/api/v1/schedules/scenario/on-slow/pause")
            none = await client.post("/api/v1/schedules/scenario/none/pause")

        assert [one["name"] for one in listed] == ["on-work"]
        assert (ours.status_code, theirs.status_code) == (200, 403)
        assert theirs.text == none.text


class TestOwnJobs:
    """A producer sees the jobs that its own token has enqueued."""

    @pytest.mark.parametrize("bulk", [False, True])
    async def test_its_own_and_no_others(self, shop: TokenShop, api: Client, *, bulk: bool) -> None:
        one, two = await shop.client_of("producer"), await shop.client_of("producer")
        job = {"type": "double", "payload": {"n": 1}}
        body = {"jobs": [job, job]} if bulk else job
        answer = (await one.post("/api/v1/queues/work/jobs", json=body)).json()
        ids = [each["id"] for each in answer["jobs"]] if bulk else [answer["id"]]

        for job_id in ids:
            assert (await one.job(job_id))["state"] == "waiting"
            refused = await two.get(f"/api/v1/jobs/{job_id}")
            missing = await two.get("/api/v1/jobs/there-is-none.work")
            assert refused.status_code == missing.status_code == 404
            assert refused.text.replace(job_id, "there-is-none.work") == missing.text
        others = await api.enqueue()
        assert (await one.get(f"/api/v1/jobs/{others}")).status_code == 404

    async def test_who_enqueued_a_job_is_told_to_those_who_read(
        self, shop: TokenShop, api: Client
    ) -> None:
        token = await shop.make("producer")
        by_token = await shop.client(token).enqueue(attempts=1)
        by_environment = await api.enqueue()

        assert (await api.job(by_token))["enqueued_by"] == token.token.subject
        assert (await api.job(by_environment))["enqueued_by"] is None

    async def test_the_result_stays_for_those_who_may_see_payloads(
        self, shop: TokenShop, api: Client
    ) -> None:
        producer = await shop.client_of("producer")
        job_id = await producer.enqueue()
        await api.tick()

        assert (await producer.job(job_id))["state"] == "completed"
        assert (await producer.job(job_id))["result"] is None

    async def test_the_follow_ups_that_it_asked_for_are_its_own(
        self, shop: TokenShop, api: Client
    ) -> None:
        token = await shop.make("producer")
        producer, other = shop.client(token), await shop.client_of("producer")
        work = {"type": "double", "payload": {"n": 1}}
        first = {**work, "options": {"then": [{**work, "options": {"then": [work]}}]}}
        dies = {"type": "fail", "payload": {"n": 1}}
        second = {**dies, "options": {"attempts": 1, "on_dead": [work]}}
        body = {"jobs": [first, second]}
        await producer.post("/api/v1/queues/work/jobs", json=body)
        for _tick in range(3):
            await api.tick()

        ended = [await api.get(f"/api/v1/jobs?queue=work&state={s}") for s in ("completed", "dead")]
        jobs = [job["id"] for page in ended for job in page.json()["jobs"]]
        assert len(jobs) == 5
        for job_id in jobs:
            assert (await producer.job(job_id))["state"] in ("completed", "dead")
            assert (await api.job(job_id))["enqueued_by"] == token.token.subject
            assert (await other.get(f"/api/v1/jobs/{job_id}")).status_code == 404

    async def test_the_jobs_of_a_type_s_own_handlers_are_nobody_s(
        self, shop: TokenShop, api: Client, world: World
    ) -> None:
        double = world.work.types["double"]

        @double.on_completed
        async def tell(end: Completed[Numbers], job: JobContext) -> None:
            told.append(job.id)

        told: list[str] = []
        producer = await shop.client_of("producer")
        await producer.enqueue()
        for _tick in range(2):
            await api.tick()

        (job_id,) = told
        assert (await api.job(job_id))["enqueued_by"] is None
        assert (await producer.get(f"/api/v1/jobs/{job_id}")).status_code == 404
