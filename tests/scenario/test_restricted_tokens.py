"""Tokens that are limited to job types and keys, and in the number of their requests and jobs."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
from starlette.applications import Starlette

from shared.access.rights import Allowance
from shared.access.tokens import MOST
from shared.errors import InvalidOption
from shared.store import Store
from shared.testing import FakeClock
from shared.web.routes import ROUTES
from tests.scenario.test_access import path_of
from tests.scenario.tokens import ROOT, TokenShop
from tests.scenario.world import JOBS, Client
from tests.support.probe import Probe

ADMIN = "admin"


@pytest.fixture
def shop(app: Starlette, store: Store, clock: FakeClock) -> TokenShop:
    return TokenShop(app, store, clock)


def one(type: str = "double", **options: Any) -> dict[str, Any]:
    return {"type": type, "payload": {"n": 1}, "options": options}


async def status(client: Client) -> int:
    return (await client.get("/api/v1/jobs/none.work")).status_code


class TestTypesAndKeys:
    """A token of type "double" and key "ada"."""

    @pytest.fixture
    async def limited(self, shop: TokenShop) -> Client:
        return await shop.client_of(ADMIN, types=["double"], keys=["ada"])

    async def test_many_jobs_that_one_stands_for_cost_one_look(
        self, limited: Client, api: Client, store: Store
    ) -> None:
        for job_id, stored in (("mine", one(key="ada")), ("other", one("echo"))):
            stored["options"]["job_id"] = job_id
            assert (await api.post(JOBS, json=stored)).status_code == 202
        commands = []
        for count in (1, 1, 100):  # the first one reads the token too
            jobs = [one(key="ada", job_id=job_id) for job_id in ("mine", "other")] * count
            before = store.meter.commands
            answers = (await limited.post(JOBS, json={"jobs": jobs})).json()["jobs"]
            commands.append(store.meter.commands - before)

            assert ["id" in answer for answer in answers] == [True, False] * count
            assert {answer["error"]["status"] for answer in answers[1::2]} == {409}
        assert commands[1] == commands[2]

    @pytest.mark.parametrize("by", ["job_id", "dedup", "idempotency_key"])
    @pytest.mark.parametrize(("count", "reads"), [(1, 1), (200, 1), (201, 2), (1000, 5)])
    async def test_different_duplicates_cost_two_commands_for_200_of_them(
        self, limited: Client, store: Store, by: str, count: int, reads: int
    ) -> None:
        for _ in range(2):  # from now on the store has the script
            await limited.post(JOBS, json=one(key="ada", job_id="warm"))
        body = {"jobs": [one(key="ada", **{by: str(n)}) for n in range(count)]}
        first = (await limited.post(JOBS, json=body)).json()["jobs"]
        before = store.meter.by_verb.get("headers", 0)

        again = (await limited.post(JOBS, json=body)).json()["jobs"]

        assert [answer["id"] for answer in again] == [answer["id"] for answer in first]
        is_duplicate = by != "idempotency_key"  # the same request again is answered as before
        assert {answer["duplicate"] for answer in again} == {is_duplicate}
        assert store.meter.by_verb.get("headers", 0) - before == (2 * reads if is_duplicate else 0)

    async def test_of_a_thousand_duplicates_only_those_in_reach_are_told(
        self, limited: Client, api: Client, probe: Probe
    ) -> None:
        kinds = [("double", "ada"), ("double", "bob"), ("echo", "ada")]
        body = [one(*kind[:1], key=kind[1], job_id=f"{n}-{at}")
                for n in range(300) for at, kind in enumerate(kinds)]  # fmt: skip
        body += [one(key="ada", job_id=gone) for gone in ("damaged", "emptied")]
        stored = (await api.post(JOBS, json={"jobs": body})).json()["jobs"]
        assert len(stored) == 902
        for job_id, record in (("damaged", "?"), ("emptied", "w 0 0 0 n 0 0 ada - - -\n")):
            await probe.run("HSET", probe.key("work", "records"), job_id, record)

        mine = [{**job, **one(key="ada", job_id=job["options"]["job_id"])} for job in body]
        answers = (await limited.post(JOBS, json={"jobs": mine})).json()["jobs"]

        in_reach = [*([True, False, False] * 300), False, False]
        assert ["id" in answer for answer in answers] == in_reach
        assert all(answer["duplicate"] for answer in answers if "id" in answer)
        assert {answer["error"]["status"] for answer in answers if "error" in answer} == {409}

    @pytest.mark.parametrize(("job", "stored"), [
        (one(key="ada"), True),
        (one(), False),
        (one(key="bob"), False),
        (one("echo", key="ada"), False),
        (one(key="ada", then=[one(key="ada")]), True),
        (one(key="ada", then=[one("echo", key="ada")]), False),
        (one(key="ada", on_dead=[one()]), False),
        (one(key="ada", then=[one(key="ada", then=[one("echo", key="ada")])]), False),
    ])  # fmt: skip
    async def test_it_stores_jobs_of_its_types_and_keys_also_as_follow_ups(
        self, limited: Client, store: Store, job: dict[str, Any], stored: bool
    ) -> None:
        alone = await limited.post(JOBS, json=job)
        many = await limited.post(JOBS, json={"jobs": [job, one(key="ada")]})

        assert (alone.status_code == 202) is stored
        assert alone.status_code in ((202,) if stored else (403, 422))
        first, second = many.json()["jobs"]
        assert ("id" in first) is stored
        assert "id" in second, "each job of many is answered by itself"

    @pytest.mark.parametrize("other", [
        {"type": "fail", "payload": {"n": "wrong"}},
        {"type": "no-such-type", "payload": {"n": 1}},
        {"type": "double", "payload": {"n": 1}, "options": {"key": "ada", "then": [
            {"type": "fail", "payload": {"n": "wrong"}}]}},
    ])  # fmt: skip
    async def test_it_learns_nothing_of_other_types(
        self, limited: Client, other: dict[str, Any]
    ) -> None:
        refused = await limited.post(JOBS, json=other)

        assert refused.status_code in (403, 422)
        assert "limited to some job types" in refused.json()["detail"]
        assert "known" not in refused.text

    @pytest.mark.parametrize("operation", ROUTES, ids=lambda o: f"{o.method} {o.path}")
    async def test_it_opens_what_is_about_jobs_one_by_one_and_nothing_else(
        self, limited: Client, operation: Any
    ) -> None:
        response = await limited.request(operation.method, path_of(operation.path), json=one())

        if operation.access == "public":
            assert response.status_code == 200
        elif operation.by_job and operation.access != "enqueue":
            assert response.status_code == 404, "there is no such job"
        else:
            assert response.status_code == 403

    async def test_a_job_out_of_its_reach_does_not_exist_for_it(
        self, limited: Client, api: Client
    ) -> None:
        own = await api.enqueue(key="ada")
        for other in (
            await api.enqueue(key="bob"),
            await api.enqueue(),
            await api.enqueue("echo", key="ada"),
        ):
            shown = await limited.get(f"/api/v1/jobs/{other}")
            missing = await limited.get("/api/v1/jobs/none.work")
            assert shown.status_code == missing.status_code == 404
            assert shown.json()["type"] == missing.json()["type"]
            assert (await limited.delete(f"/api/v1/jobs/{other}")).status_code == 404
            assert (await api.job(other))["state"] == "waiting"
        assert (await limited.job(own))["key"] == "ada"
        assert (await limited.delete(f"/api/v1/jobs/{own}")).status_code == 200

    @pytest.mark.parametrize("other", [
        {"key": "bob"}, {"type": "echo", "key": "ada"}, {"type": "echo"}, {},
    ])  # fmt: skip
    async def test_an_id_of_a_job_out_of_reach_is_taken_and_no_more(
        self, limited: Client, api: Client, other: dict[str, Any]
    ) -> None:
        taken = await api.enqueue(**{"type": "double", **other}, job_id="order-8")
        mine = one(key="ada", job_id="order-8")

        alone = await limited.post(JOBS, json=mine)
        many = await limited.post(JOBS, json={"jobs": [mine, one(key="ada", job_id="order-9")]})
        await api.delete(f"/api/v1/jobs/{taken}")
        ended = await limited.post(JOBS, json=mine)

        assert alone.status_code == ended.status_code == 409
        assert alone.json() == ended.json(), "whatever its state"
        assert "waiting" not in alone.text
        first, second = many.json()["jobs"]
        assert first["error"] == alone.json()
        assert second["id"] == "order-9.work"

    async def test_a_name_of_a_job_out_of_reach_is_taken(
        self, limited: Client, api: Client
    ) -> None:
        await api.enqueue(key="bob", dedup="d")

        assert (await limited.post(JOBS, json=one(key="ada", dedup="d"))).status_code == 409

    async def test_its_own_job_is_a_duplicate_as_ever(self, limited: Client) -> None:
        for is_duplicate in (False, True):
            stored = await limited.post(JOBS, json=one(key="ada", job_id="mine"))
            assert (stored.status_code, stored.json()["duplicate"]) == (202, is_duplicate)

    async def test_its_dead_letters_are_handled_and_no_others(
        self, shop: TokenShop, api: Client
    ) -> None:
        fails = await shop.client_of(ADMIN, types=["fail"])
        mine = await api.enqueue("fail", attempts=1)
        await api.tick()

        assert (await fails.get(f"/api/v1/dead-letters/{mine}")).status_code == 200
        assert (await fails.post(f"/api/v1/dead-letters/{mine}/redrive")).status_code == 200
        assert (await fails.get("/api/v1/dead-letters")).status_code == 403

    async def test_its_look_at_a_job_costs_one_request_more(
        self, limited: Client, api: Client, store: Store
    ) -> None:
        job_id = await api.enqueue(key="ada")
        await limited.job(job_id)
        before = store.meter.by_verb["inspect"]
        await api.job(job_id)
        plain, before = store.meter.by_verb["inspect"] - before, store.meter.by_verb["inspect"]
        await limited.job(job_id)

        assert store.meter.by_verb["inspect"] - before == 2 * plain


class TestNumbers:
    """Requests a minute and jobs a day."""

    async def test_requests_beyond_the_rate_are_refused_until_the_bucket_has_one(
        self, shop: TokenShop, clock: FakeClock
    ) -> None:
        client = await shop.client_of("viewer", allowance=Allowance(requests_a_minute=6))

        assert [await status(client) for _ in range(7)] == [404] * 6 + [429]
        refused = await client.get("/api/v1/jobs/none.work")
        assert refused.json()["type"] == "/problems/token-limited"
        assert 9 <= int(refused.headers["retry-after"]) <= 10
        clock.advance(10)
        assert [await status(client) for _ in range(2)] == [404, 429]
        clock.advance(3600)
        assert [await status(client) for _ in range(7)] == [404] * 6 + [429]

    async def test_jobs_beyond_the_quota_of_the_day_are_refused_until_midnight(
        self, shop: TokenShop, clock: FakeClock
    ) -> None:
        client = await shop.client_of("producer", allowance=Allowance(jobs_a_day=5))

        assert (await client.post(JOBS, json={"jobs": [one()] * 3})).status_code == 202
        refused = await client.post(JOBS, json={"jobs": [one()] * 3})
        assert refused.status_code == 429
        assert "2 are left" in refused.json()["detail"]
        midnight = 86_400 - clock.epoch_ms() / 1000 % 86_400
        assert int(refused.headers["retry-after"]) == pytest.approx(midnight, abs=2)
        assert (await client.post(JOBS, json={"jobs": [one()] * 2})).status_code == 202
        assert (await client.post(JOBS, json=one())).status_code == 429
        assert await status(client) == 404, "reads are no jobs"
        clock.advance(midnight + 1)
        assert (await client.post(JOBS, json=one())).status_code == 202

    @pytest.mark.parametrize(("options", "count"), [
        ({"then": [one(), one()]}, 3),
        ({"then": [one(then=[one(), one()], on_dead=[one()])], "on_dead": [one()]}, 6),
        ({"callback": "https://example.com/hook"}, 2),
        ({"then": [one(callback="https://example.com/hook")]}, 3),
    ])  # fmt: skip
    async def test_follow_ups_count_as_jobs(
        self, shop: TokenShop, clock: FakeClock, options: dict[str, Any], count: int
    ) -> None:
        for body, jobs in ((one(**options), count), ({"jobs": [one(**options)] * 2}, 2 * count)):
            less = await shop.client_of("producer", allowance=Allowance(jobs_a_day=jobs - 1))
            enough = await shop.client_of("producer", allowance=Allowance(jobs_a_day=jobs))
            clock.advance(10)  # until functions know them

            assert (await less.post(JOBS, json=body)).status_code == 429
            assert (await enough.post(JOBS, json=body)).status_code != 429
            assert (await enough.post(JOBS, json=one())).status_code == 429

    @pytest.mark.parametrize("options", [
        {"then": 1}, {"then": [1, None, "a"]}, {"on_dead": {"then": []}},
        {"then": [{"options": 1}]},
    ])  # fmt: skip
    async def test_what_is_no_follow_up_is_refused_as_ever(
        self, shop: TokenShop, options: dict[str, Any]
    ) -> None:
        client = await shop.client_of("producer", allowance=Allowance(jobs_a_day=9))

        assert (await client.post(JOBS, json=one(**options))).status_code == 422

    async def test_a_refused_enqueue_stores_nothing_and_takes_no_request(
        self, shop: TokenShop, api: Client
    ) -> None:
        limits = Allowance(requests_a_minute=2, jobs_a_day=1)
        client = await shop.client_of("producer", allowance=limits)

        assert (await client.post(JOBS, json={"jobs": [one()] * 2})).status_code == 429
        assert (await client.post(JOBS, json=one())).status_code == 202
        assert await status(client) == 404
        assert await status(client) == 429
        waiting = (await api.get("/api/v1/jobs?state=waiting")).json()["jobs"]
        assert len(waiting) == 1

    async def test_a_rotation_hands_out_no_second_allowance(
        self, shop: TokenShop, clock: FakeClock
    ) -> None:
        old = await shop.make("producer", allowance=Allowance(jobs_a_day=1))
        assert (await shop.client(old).post(JOBS, json=one())).status_code == 202
        new = await shop.tokens.rotate(old.token.id, by=ROOT)
        clock.advance(10)  # until functions know it

        assert new.token.allowance == old.token.allowance
        assert (await shop.client(new).post(JOBS, json=one())).status_code == 429

    @pytest.mark.parametrize(("limits", "commands"), [
        (Allowance(), 0), (Allowance(requests_a_minute=60), 4), (Allowance(jobs_a_day=60), 4),
        (Allowance(60, 60), 4),
    ])  # fmt: skip
    async def test_a_request_with_limits_costs_four_commands_more_and_one_without_none(
        self, shop: TokenShop, store: Store, limits: Allowance, commands: int
    ) -> None:
        client = await shop.client_of("producer", allowance=limits)
        await client.post(JOBS, json=one())
        before = store.meter.by_verb.get("allow", 0)
        await client.post(JOBS, json=one())

        assert store.meter.by_verb.get("allow", 0) - before == commands
        before = store.meter.by_verb.get("allow", 0)
        await status(client)
        assert store.meter.by_verb.get("allow", 0) - before == (
            4 if limits.requests_a_minute else 0
        )

    async def test_a_token_that_is_used_up_costs_no_command(
        self, shop: TokenShop, store: Store, clock: FakeClock
    ) -> None:
        requests = await shop.client_of("viewer", allowance=Allowance(requests_a_minute=1))
        jobs = await shop.client_of("producer", allowance=Allowance(jobs_a_day=1))
        for _ in range(2):
            await status(requests)
            await jobs.post(JOBS, json=one())
        before = store.meter.commands

        for _ in range(20):
            assert await status(requests) == 429
            assert (await jobs.post(JOBS, json=one())).status_code == 429

        assert store.meter.commands == before
        assert await status(jobs) == 404, "reads are no jobs"
        clock.advance(61)
        assert await status(requests) == 404

    async def test_what_was_used_expires(self, shop: TokenShop, store: Store) -> None:
        token = await shop.make("viewer", allowance=Allowance(requests_a_minute=6))
        await status(shop.client(token))
        name = f"{store.prefix}:allowance:{token.token.subject}"

        assert 0 < int(await store.rest.execute(["PTTL", name], "test")) <= 86_400_000

    async def test_a_clock_that_went_back_locks_nobody_out(
        self, shop: TokenShop, clock: FakeClock
    ) -> None:
        client = await shop.client_of("viewer", allowance=Allowance(requests_a_minute=6))
        assert await status(client) == 404
        clock.step(-7200)

        assert await status(client) == 404


class TestCreation:
    """What can be asked for over HTTP, and how it is stored."""

    BODY: ClassVar[dict[str, Any]] = {
        "name": "ci", "roles": ["producer"], "queues": ["work"], "types": ["double"],
        "keys": ["ada"], "requests_a_minute": 60, "jobs_a_day": 1000,
    }  # fmt: skip

    async def test_what_was_asked_for_is_shown(self, api: Client) -> None:
        made = (await api.post("/api/v1/tokens", json=self.BODY)).json()
        (listed,) = (await api.get("/api/v1/tokens")).json()["tokens"]

        for shown in (made, listed):
            assert {name: shown[name] for name in self.BODY if name != "roles"} == {
                name: value for name, value in self.BODY.items() if name != "roles"
            }

    @pytest.mark.parametrize("wrong", [
        {"types": ["none"]}, {"types": []}, {"keys": ["a b"]}, {"keys": ["-"]}, {"keys": []},
        {"requests_a_minute": 0}, {"requests_a_minute": 100_001}, {"jobs_a_day": -1},
        {"requests_a_minute": 1.5}, {"jobs_a_day": True, "types": ["none"]},
    ])  # fmt: skip
    async def test_what_makes_no_sense_is_refused(self, api: Client, wrong: dict[str, Any]) -> None:
        assert (await api.post("/api/v1/tokens", json={**self.BODY, **wrong})).status_code == 422

    @pytest.mark.parametrize("name", MOST)
    async def test_python_refuses_it_in_the_same_words(
        self, api: Client, shop: TokenShop, name: str
    ) -> None:
        with pytest.raises(InvalidOption, match=name) as python:
            await shop.make("viewer", allowance=Allowance(**{name: 0}))

        http = (await api.post("/api/v1/tokens", json={**self.BODY, name: 0})).json()

        assert (http["type"], http["detail"]) == ("/problems/invalid-option", str(python.value))
        assert [one["field"] for one in http["errors"]] == [name]

    async def test_a_record_of_an_older_version_has_no_limits(
        self, shop: TokenShop, store: Store
    ) -> None:
        token = await shop.make("viewer")
        await _rewrite(store, token.token.id, drop=("types", "keys", "allowance"))

        assert await status(shop.client(token)) == 404

    async def test_a_limit_of_a_newer_version_opens_nothing(
        self, shop: TokenShop, store: Store
    ) -> None:
        token = await shop.make("viewer")
        await _rewrite(store, token.token.id, add={"countries": ["de"]})

        assert await status(shop.client(token)) == 401


async def _rewrite(
    store: Store, token_id: str, *, drop: tuple[str, ...] = (), add: dict[str, Any] | None = None
) -> None:
    record = json.loads((await store.access.tokens())[token_id])
    kept = {name: value for name, value in record.items() if name not in drop}
    await store.access.put_tokens({token_id: json.dumps({**kept, **(add or {})})})
