"""Stored tokens from their making to their end, and what a request with one costs."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from shared.access.caller import Caller
from shared.access.rights import RIGHTS, ROLES, Allowance
from shared.access.token_text import new_text, read_text
from shared.access.tokens import MOST_TOKENS
from shared.errors import Forbidden, InvalidOption
from shared.store import Store
from shared.testing import FakeClock, Fate, LossyTransport, store_on
from tests.scenario.tokens import PREFIX, ROOT, TokenShop
from tests.scenario.world import JOBS, TOKENS, Client, World, application
from tests.support.probe import Probe

JOB = {"type": "double", "payload": {"n": 1}}
DAY = 86_400
TOKEN_TEXT = new_text(PREFIX).text
FORM = re.compile(r"tg_tidegate_[0-9a-f]{12}_[A-Za-z0-9]{43}_[0-9a-f]{8}")


@pytest.fixture
def shop(app: Starlette, store: Store, clock: FakeClock) -> TokenShop:
    return TokenShop(app, store, clock)


async def _status(client: Client) -> int:
    return (await client.get("/api/v1/jobs/none.work")).status_code


class TestText:
    """The text of a token tells its form and its deployment."""

    def test_a_new_one_is_read(self) -> None:
        for prefix in ("tidegate", "a", "my_app.eu-1", "tg_x"):
            token = new_text(prefix)
            assert read_text(token.text, prefix) == token
            assert read_text(token.text, "another") is None

    def test_no_two_are_equal(self) -> None:
        tokens = [new_text(PREFIX) for _ in range(500)]
        assert len({one.text for one in tokens} | {one.digest for one in tokens}) == 1000

    @given(st.data())
    def test_one_changed_character_is_told(self, data: st.DataObject) -> None:
        text = TOKEN_TEXT
        at = data.draw(st.integers(0, len(text) - 1))
        other = data.draw(st.characters(exclude_characters=text[at]))
        changed = text[:at] + other + text[at + 1 :]
        read = read_text(changed, PREFIX)
        assert read is None

    @given(st.text())
    def test_any_other_text_is_none(self, text: str) -> None:
        assert read_text(text, PREFIX) is None
        assert read_text(f"tg_{PREFIX}_{text}", PREFIX) is None

    def test_it_shows_nothing_of_itself(self) -> None:
        token = new_text(PREFIX)
        assert token.text not in repr(token)
        assert token.digest not in repr(token)


class TestHandingOut:
    """Nobody hands out more than they have."""

    BODY: ClassVar[dict[str, Any]] = {"name": "next", "roles": ["producer"], "expires_in": 60}

    @pytest.mark.parametrize(("options", "body", "status"), [
        ({}, {"expires_in": None}, 201),
        ({"seconds": 3600}, {}, 201),
        ({"seconds": 3600}, {"expires_in": 3601}, 403),
        ({"seconds": 3600}, {"expires_in": None}, 403),
        ({"allowance": Allowance(60, None)}, {}, 403),
        ({"allowance": Allowance(60, None)}, {"requests_a_minute": 1}, 403),
        ({"allowance": Allowance(None, 60)}, {"jobs_a_day": 60}, 403),
        ({"queues": ["work"]}, {"queues": ["work"]}, 403),
        ({"types": ["double"]}, {"types": ["double"]}, 403),
    ])  # fmt: skip
    async def test_over_http(
        self, shop: TokenShop, options: dict[str, Any], body: dict[str, Any], status: int
    ) -> None:
        admin = await shop.client_of("admin", **options)

        made = await admin.post("/api/v1/tokens", json={**self.BODY, **body})

        assert made.status_code == status, made.text

    @pytest.mark.parametrize("limit", ["queues", "types", "keys"])
    async def test_no_more_queues_types_and_keys_in_python(
        self, shop: TokenShop, limit: str
    ) -> None:
        own: dict[str, Any] = {limit: frozenset("ab")}
        by = Caller("test", frozenset(RIGHTS))._replace(**own)
        options: dict[str, Any] = {"queues": None}

        for names, fits in (("a", True), ("ab", True), ("c", False), ("abc", False), (None, False)):
            make = shop.tokens.create(
                "n", frozenset(ROLES["producer"]), **{**options, limit: names}, by=by
            )
            if fits:
                await make
            else:
                with pytest.raises(Forbidden):
                    await make

    async def test_a_token_that_rotates_itself_keeps_its_end_and_its_limits(
        self, shop: TokenShop, clock: FakeClock
    ) -> None:
        limits = Allowance(60, 60)
        old = await shop.make("admin", seconds=3600, allowance=limits)
        clock.advance(1800)

        made = await shop.client(old).post(f"/api/v1/tokens/{old.token.id}/rotate", json={})

        (new,) = [one for one in await shop.tokens.list() if one.id != old.token.id]
        assert made.status_code == 201
        assert (new.expires_ms, new.allowance) == (old.token.expires_ms, limits)

    async def test_a_rotation_hands_out_no_other_token_that_is_more(
        self, shop: TokenShop, clock: FakeClock
    ) -> None:
        free = await shop.make("producer")
        for options in ({"seconds": 3600}, {"allowance": Allowance(60, 60)}):
            admin = await shop.client_of("admin", **options)
            clock.advance(10)  # until functions know it

            made = await admin.post(f"/api/v1/tokens/{free.token.id}/rotate", json={})

            assert made.status_code == 403


class TestCost:
    """What a request's token costs."""

    async def test_a_token_of_the_environment_costs_no_command(
        self, as_role: Any, store: Store
    ) -> None:
        client = as_role("viewer")
        for _ in range(3):
            await _status(client)
        assert store.meter.by_verb.keys() == {"inspect"}

    async def test_a_stored_token_costs_one_read_a_minute_whatever_their_number(
        self, shop: TokenShop, store: Store, clock: FakeClock
    ) -> None:
        clients = [await shop.client_of("viewer") for _ in range(5)]
        for minute in range(3):
            before = store.meter.by_verb["tokens"]
            for client in clients * 2:
                assert await _status(client) == 404
            assert store.meter.by_verb["tokens"] - before == 1, minute
            clock.advance(60)

    async def test_requests_that_come_together_share_the_read(
        self, shop: TokenShop, store: Store
    ) -> None:
        client = await shop.client_of("viewer")
        before = store.meter.by_verb["tokens"]
        await asyncio.gather(*(_status(client) for _ in range(10)))
        assert store.meter.by_verb["tokens"] - before == 1

    async def test_tokens_that_nobody_made_cost_one_read_in_ten_seconds(
        self, shop: TokenShop, store: Store, clock: FakeClock
    ) -> None:
        before = store.meter.requests
        for _ in range(4):
            for _ in range(50):
                assert await _status(shop.client(new_text(PREFIX).text)) == 401
            clock.advance(5)
        assert store.meter.requests - before == 2

    @pytest.mark.parametrize("text", ["tg_", "tg_tidegate_a_b_c", "x" * 10_000, "other prefix"])
    async def test_what_is_no_token_of_this_deployment_costs_nothing(
        self, shop: TokenShop, store: Store, text: str
    ) -> None:
        sent = new_text("another").text if text == "other prefix" else text
        assert await _status(shop.client(sent)) == 401
        assert store.meter.requests == 0

    async def test_a_store_that_does_not_answer_is_asked_once_a_second(
        self, world: World, clock: FakeClock
    ) -> None:
        lossy: list[LossyTransport] = []

        def wrap(inner: Any) -> LossyTransport:
            lossy.append(LossyTransport(inner, iter(lambda: Fate.LOST_BEFORE, None)))
            return lossy[0]

        store = store_on(world.protocol, clock=clock, wrap=wrap)
        shop = TokenShop(application(world, store, clock), store, clock)
        client = shop.client(new_text(PREFIX).text)
        assert await _status(client) == 503
        tried = len(lossy[0].happened)
        for _ in range(20):
            assert await _status(client) == 503
        assert len(lossy[0].happened) == tried
        clock.advance(1.1)
        assert await _status(client) == 503
        assert len(lossy[0].happened) > tried


class TestEnds:
    """How a token stops to work."""

    async def test_a_revoked_token_opens_nothing_after_a_minute(
        self, shop: TokenShop, clock: FakeClock
    ) -> None:
        token = await shop.make("viewer")
        client = shop.client(token)
        assert await _status(client) == 404
        await shop.tokens.revoke(token.token.id, by=ROOT)

        clock.advance(59.9)
        assert await _status(client) == 404  # the copy may still be used
        clock.advance(0.1)
        assert await _status(client) == 401
        clock.advance(600)
        assert await _status(client) == 401

    async def test_also_where_the_machine_s_own_clock_stood_still(
        self, shop: TokenShop, clock: FakeClock
    ) -> None:
        token = await shop.make("viewer")
        client = shop.client(token)
        assert await _status(client) == 404
        await shop.tokens.revoke(token.token.id, by=ROOT)

        clock.step(60)  # the time of day alone: a function was frozen
        assert await _status(client) == 401

    @pytest.mark.parametrize("seconds", [30, 3600])
    async def test_it_ends_at_the_instant_of_its_expiry(
        self, shop: TokenShop, clock: FakeClock, seconds: float
    ) -> None:
        client = shop.client(await shop.make("viewer", seconds=seconds))
        clock.advance(seconds - 0.001)
        assert await _status(client) == 404
        clock.advance(0.001)
        assert await _status(client) == 401

    async def test_a_new_token_is_known_after_ten_seconds_at_most(
        self, shop: TokenShop, clock: FakeClock
    ) -> None:
        assert await _status(await shop.client_of("viewer")) == 404
        new = await shop.client_of("viewer")
        assert await _status(new) == 401
        clock.advance(10)
        assert await _status(new) == 404

    async def test_a_rotated_token_works_for_its_overlap_and_the_new_one_at_once(
        self, shop: TokenShop, api: Client, clock: FakeClock
    ) -> None:
        old = await shop.make("producer", queues=["work"], seconds=30 * DAY)
        client = shop.client(old)
        job_id = await client.enqueue()
        rotated = await api.post(f"/api/v1/tokens/{old.token.id}/rotate", json={"overlap": 3600})
        new = shop.client(rotated.json()["token"])
        clock.advance(60)

        assert rotated.status_code == 201
        assert (await new.job(job_id))["id"] == job_id  # its subject is the same
        assert (await client.job(job_id))["id"] == job_id
        assert (await new.post("/api/v1/queues/slow/jobs", json=JOB)).status_code == 403
        clock.advance(3600)
        assert (await client.get(f"/api/v1/jobs/{job_id}")).status_code == 401
        assert (await new.job(job_id))["id"] == job_id
        clock.advance(30 * DAY)  # it lives as long as the first one did
        assert (await new.get(f"/api/v1/jobs/{job_id}")).status_code == 401

    async def test_rotations_at_once_are_two_tokens_and_none_is_lost(
        self, shop: TokenShop, clock: FakeClock
    ) -> None:
        old = await shop.make("viewer")
        by = old.token.caller()
        news = await asyncio.gather(
            *(shop.tokens.rotate(old.token.id, by=by, overlap=0) for _ in range(3))
        )
        for new in news:
            assert await _status(shop.client(new)) == 404
        assert await _status(shop.client(old)) == 401

    async def test_a_rotation_brings_no_revoked_token_back(
        self, shop: TokenShop, probe: Probe, clock: FakeClock
    ) -> None:
        old = await shop.make("viewer")
        await shop.tokens.revoke(old.token.id, by=ROOT)
        # What a rotation writes, that had read the tokens before the revocation:
        await probe.run("HSET", "test:tokens", f"{old.token.id}:end", clock.epoch_ms() + 9_999_999)

        assert await _status(shop.client(old)) == 401
        assert await shop.tokens.list() == []

    @pytest.mark.parametrize("damage", ["", "{}", "[]", "null", "{", '{"digest":1}', "\xff", "é"])
    async def test_a_damaged_record_opens_nothing_and_hides_no_other(
        self, shop: TokenShop, probe: Probe, damage: str
    ) -> None:
        good, bad = await shop.make("viewer"), await shop.make("admin")
        record = damage.encode("latin-1")
        if damage == "é":  # a whole record with a digest that is none
            whole = str((await probe.run("HGET", "test:tokens", bad.token.id)).decode())
            record = whole.replace(bad.token.digest, damage).encode()
        await probe.run("HSET", "test:tokens", bad.token.id, record)

        assert await _status(shop.client(bad)) == 401
        assert await _status(shop.client(good)) == 404


class TestHttp:
    """The verbs over HTTP."""

    async def test_a_token_is_made_listed_used_and_revoked(
        self, api: Client, shop: TokenShop, clock: FakeClock
    ) -> None:
        body = {"name": "ci", "roles": ["producer"], "queues": ["work"], "expires_in": DAY}
        made = await api.post("/api/v1/tokens", json=body)
        token = made.json()
        assert made.status_code == 201
        assert FORM.fullmatch(token["token"])
        assert (token["role"], token["rights"], token["queues"]) == (
            "producer",
            ["enqueue"],
            ["work"],
        )
        assert token["created_by"] == "environment:admin"
        listed = (await api.get("/api/v1/tokens")).json()["tokens"]
        assert listed == [{k: v for k, v in token.items() if k != "token"}]
        async with shop.client(token["token"]) as client:
            assert (await client.post(JOBS, json=JOB)).status_code == 202
            gone = await api.delete(f"/api/v1/tokens/{token['id']}")
            assert gone.json()["id"] == token["id"]
            clock.advance(60)
            assert (await client.post(JOBS, json=JOB)).status_code == 401
        assert (await api.get("/api/v1/tokens")).json() == {"tokens": []}
        assert (await api.delete(f"/api/v1/tokens/{token['id']}")).status_code == 404
        assert (await api.post(f"/api/v1/tokens/{token['id']}/rotate", json={})).status_code == 404

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"name": ""}, 422),
            ({"name": "x" * 65}, 422),
            ({"name": "line\nbreak"}, 422),
            ({"roles": []}, 422),
            ({"roles": ["king"]}, 422),
            ({"rights": ["fly"]}, 422),
            ({"queues": []}, 422),
            ({"queues": ["none"]}, 404),
            ({"expires_in": 0}, 422),
            ({"expires_in": -1}, 422),
            ({"expires_in": 1e12}, 422),
            ({"more": 1}, 422),
        ],
    )
    async def test_a_request_that_does_not_fit_makes_no_token(
        self, api: Client, change: dict[str, Any], status: int
    ) -> None:
        body = {"name": "ci", "roles": ["viewer"], **change}

        assert (await api.post("/api/v1/tokens", json=body)).status_code == status
        assert (await api.get("/api/v1/tokens")).json() == {"tokens": []}

    async def test_a_right_can_t_be_handed_out_by_one_who_lacks_it(
        self, api: Client, shop: TokenShop
    ) -> None:
        body = {"name": "clerk", "rights": ["manage", "read"]}
        clerk = shop.client((await api.post("/api/v1/tokens", json=body)).json()["token"])
        admin = await shop.make("admin")

        grown = await clerk.post("/api/v1/tokens", json={"name": "x", "roles": ["admin"]})
        taken = await clerk.post(f"/api/v1/tokens/{admin.token.id}/rotate", json={})
        fitting = await clerk.post("/api/v1/tokens", json={"name": "x", "rights": ["read"]})

        assert (grown.status_code, taken.status_code) == (403, 403)
        assert fitting.status_code == 201

    async def test_there_are_five_hundred_at_most_and_old_ones_make_room(
        self, shop: TokenShop, probe: Probe, clock: FakeClock
    ) -> None:
        first = await shop.make("viewer", seconds=DAY)
        record = await probe.run("HGET", "test:tokens", first.token.id)
        for n in range(1, MOST_TOKENS):
            await probe.run("HSET", "test:tokens", f"{n:012x}", record)
        with pytest.raises(InvalidOption, match="revoke some first"):
            await shop.make("viewer")

        clock.advance(31 * DAY)
        await shop.make("viewer")
        assert len(await shop.tokens.list()) == 1


async def test_the_text_of_a_token_is_in_no_log_error_page_or_dump(
    api: Client, shop: TokenShop, probe: Probe, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = {"name": "ci", "roles": ["producer"]}
    made = (await api.post("/api/v1/tokens", json=body)).json()
    client = shop.client(made["token"])
    await client.enqueue()
    pages = [
        (await client.get(path)).text
        for path in ("/api/v1/stats", "/api/v1/jobs/none.work", "/api/v1/nothing")
    ]
    pages += [(await client.post(JOBS, json={"type": "none"})).text]
    rotated = (await api.post(f"/api/v1/tokens/{made['id']}/rotate", json={})).json()
    pages += [(await api.get(path)).text for path in ("/api/v1/tokens", "/api/v1/audit")]
    await api.delete(f"/api/v1/tokens/{made['id']}")
    clock.advance(60)
    pages.append((await client.get("/api/v1/stats")).text)
    dump = [
        await probe.run("HGETALL", "test:tokens"),
        await probe.run("XRANGE", "test:audit", "-", "+"),
    ]
    dump += [await probe.snapshot("work")]

    everything = caplog.text + str([vars(r) for r in caplog.records]) + str(pages) + str(dump)
    for text in (made["token"], rotated["token"]):
        _mark, _prefix, _id, secret, _crc = text.rsplit("_", 4)
        assert secret not in everything
        assert secret not in json.dumps(repr(shop.tokens))
    for token in TOKENS.values():
        assert token not in everything


def test_every_right_is_in_a_role_and_no_role_but_admin_manages() -> None:
    assert frozenset().union(*ROLES.values()) == frozenset(RIGHTS)
    assert [role for role, rights in ROLES.items() if rights & {"manage", "delete"}] == ["admin"]
    assert "enqueue" not in ROLES["viewer"]
