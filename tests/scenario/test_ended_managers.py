"""A token that manages others and has ended: it leaves no successor and ends no other token, also
where a function still has it in its copy."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from httpx import Response
from starlette.applications import Starlette

from shared.access.tokens import NewToken
from shared.store import Store
from shared.testing import FakeClock
from tests.scenario.tokens import TokenShop
from tests.scenario.world import TOKENS as ADMIN
from tests.scenario.world import Client, World, application
from tests.support.probe import Probe

TOKENS = "/api/v1/tokens"
NEW = {"name": "back door", "roles": ["admin"]}


@pytest.fixture
def shop(app: Starlette, store: Store, clock: FakeClock) -> TokenShop:
    return TokenShop(app, store, clock)


@pytest.fixture
async def admin(world: World, store: Store, clock: FakeClock) -> AsyncIterator[Client]:
    """A client of another function, which has a copy of its own."""
    async with Client(application(world, store, clock), ADMIN["admin"]) as client:
        yield client


@pytest.fixture
async def thief(shop: TokenShop) -> NewToken:
    """An admin's token that the function of `app` has just read."""
    token = await shop.make("admin")
    assert (await shop.client(token).get(TOKENS)).status_code == 200
    return token


async def end(how: str, token: NewToken, admin: Client, probe: Probe) -> None:
    path = f"{TOKENS}/{token.token.id}"
    if how == "revoked":
        assert (await admin.delete(path)).status_code == 200
    elif how == "rotated out":
        assert (await admin.post(f"{path}/rotate", json={"overlap": 0})).status_code == 201
    else:
        await probe.run("HSET", "test:tokens", token.token.id, "{}")


async def ask(client: Client, what: str, own: str, victim: str) -> Response:
    """One operation that writes access."""
    if what == "create":
        return await client.post(TOKENS, json=NEW)
    if what == "revoke":
        return await client.delete(f"{TOKENS}/{victim}")
    rotated = own if what == "rotate itself" else victim
    return await client.post(f"{TOKENS}/{rotated}/rotate", json={"overlap": 0})


@pytest.mark.parametrize("what", ["create", "rotate itself", "rotate another", "revoke"])
@pytest.mark.parametrize("how", ["revoked", "rotated out", "damaged"])
async def test_a_token_that_has_ended_changes_no_token(
    shop: TokenShop, thief: NewToken, admin: Client, clock: FakeClock, probe: Probe, how: str,
    what: str,
) -> None:  # fmt: skip
    victim = await shop.make("producer")
    await end(how, thief, admin, probe)
    before = await probe.run("HGETALL", "test:tokens")
    clock.advance(30)  # the function's copy still has it

    answer = await ask(shop.client(thief), what, thief.token.id, victim.token.id)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"]
    assert await probe.run("HGETALL", "test:tokens") == before


async def test_what_is_refused_so_is_in_the_audit(
    shop: TokenShop, thief: NewToken, admin: Client, probe: Probe
) -> None:
    await end("revoked", thief, admin, probe)

    await shop.client(thief).post(TOKENS, json=NEW)

    failed, began = (await admin.get("/api/v1/audit")).json()["rows"][:2]
    assert failed["who"] == began["who"] == f"token:{thief.token.id}"
    assert (failed["verb"], failed["result"]) == ("tokens.create", "failed: Unauthenticated")


async def test_a_token_that_will_end_hands_out_none_that_outlives_it(
    shop: TokenShop, thief: NewToken, admin: Client
) -> None:
    path = f"{TOKENS}/{thief.token.id}/rotate"
    await admin.post(path, json={"overlap": 3600})  # the function's copy knows of no end
    client = shop.client(thief)

    longer = await client.post(TOKENS, json=NEW)
    fits = await client.post(TOKENS, json={**NEW, "expires_in": 3599})
    itself = await client.post(path, json={})

    assert [longer.status_code, fits.status_code, itself.status_code] == [403, 201, 201]
    ends = {one.id: one.expires_ms for one in await shop.tokens.list()}
    assert ends[itself.json()["id"]] == ends[thief.token.id]


@pytest.mark.parametrize("what", ["create", "rotate itself", "rotate another", "revoke"])
async def test_a_token_that_holds_does_all_of_it(
    shop: TokenShop, thief: NewToken, what: str
) -> None:
    victim = await shop.make("producer")

    answer = await ask(shop.client(thief), what, thief.token.id, victim.token.id)

    assert answer.status_code in (200, 201)
