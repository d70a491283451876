"""A request executed 1..n times is as if executed once; one that was overtaken is refused."""

from __future__ import annotations

import pytest

from shared import RateLimit
from shared.errors import ScriptError
from shared.jobs.job import Guard
from shared.store import Store
from shared.testing import FakeClock, Fate, LossyTransport, store_on
from tests.support.probe import Probe
from tests.support.turns import LEASE_MS, Owner, ids, jobs, make_exclusive, numbered, settle
from tests.support.values import Declare


async def test_a_claim_whose_reply_was_lost_is_answered_again_for_one_token_each(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare(limit=RateLimit(10, burst=10))
    await store.enqueue(queue, numbered(8))
    owner = Owner(store, queue)
    first = await owner.turn(4)
    before = await probe.snapshot(), await probe.scalars()

    for _ in range(3):
        again = await owner.again()
        assert sorted(again.claims, key=lambda c: c.id) == first.claims
    assert (await probe.snapshot(), await probe.scalars()) == before
    assert len(await Owner(store, queue, "o2").claim(10)) == 4


async def test_a_settle_whose_reply_was_lost_counts_once_and_is_answered_alike(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b"))
    owner = Owner(store, queue)
    a, b = await owner.claim()
    await owner.finish(a)
    first = await owner.turn(0, [settle(a, "dead"), settle(b, "dead")])
    before = await probe.snapshot(), await probe.scalars()

    again = await owner.again()

    assert again.stale == first.stale == {a.lease}
    assert (await probe.snapshot(), await probe.scalars()) == before
    assert await probe.totals() == {"claimed": 2, "done": 1, "dead": 1}


async def test_a_turn_that_settles_and_claims_is_repeated_as_a_whole(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b"))
    owner = Owner(store, queue)
    (a,) = await owner.claim(1)
    first = await owner.turn(1, [settle(a, "retry", 5000)])

    again = await owner.again()

    assert (again.claims, again.stale) == (first.claims, first.stale)
    assert ids(again.claims) == ["b"]
    assert await probe.totals() == {"claimed": 2, "retried": 1}


async def test_a_replayed_exclusive_claim_is_exclusive_again(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b"))
    await make_exclusive(store, queue, clock)
    owner = Owner(store, queue)
    first = await owner.turn()

    again = await owner.again()

    assert again.claims == first.claims
    assert [claim.exclusive for claim in again.claims] == [True]


async def test_a_copy_that_arrives_after_its_owners_next_turn_is_refused(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, numbered(10))
    owner = Owner(store, queue)
    await owner.turn(3)
    old = owner.last
    await owner.turn(3)
    before = await probe.snapshot(), await probe.scalars()

    with pytest.raises(ScriptError, match="overtaken"):
        await owner.again(old)

    assert (await probe.snapshot(), await probe.scalars()) == before


async def test_replays_of_several_owners_are_independent(store: Store, declare: Declare) -> None:
    queue = declare()
    await store.enqueue(queue, numbered(9))
    owners = [Owner(store, queue, f"o{i}") for i in range(3)]
    first = [ids(await owner.claim(3)) for owner in owners]

    assert [sorted(ids((await owner.again()).claims)) for owner in owners] == first


async def test_an_owner_is_forgotten_when_its_leases_have_ended(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    for i in range(20):
        await Owner(store, queue, f"o{i}").turn()
        clock.advance(LEASE_MS / 1000 / 2)

    entries = (await probe.scalars())["replay"]

    assert [entry.split(" ")[0] for entry in entries.split(";")[:-1]] == ["o18", "o19"]


@pytest.mark.parametrize(
    "fate", [Fate.LOST_AFTER, Fate.TWICE, Fate.BAD_GATEWAY, Fate.TRUNCATED, Fate.GARBAGE]
)
async def test_every_verb_survives_a_lost_reply(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock, protocol: object, fate: Fate
) -> None:
    lossy: list[LossyTransport] = []

    def wrap(inner: object) -> LossyTransport:
        lossy.append(LossyTransport(inner, ()))  # type: ignore[arg-type]
        return lossy[0]

    client = store_on(protocol, clock=clock, wrap=wrap)  # type: ignore[arg-type]
    queue = declare()
    await client.enqueue(queue, jobs("warm"))  # the scripts are known from here on
    lossy[0].script(*[fate, Fate.DELIVERED] * 20)

    answers = await client.enqueue(queue, jobs("a", "b", dedup=Guard("dedup:x")))
    owner = Owner(client, queue)
    claims = {claim.id: claim for claim in await owner.claim()}
    await owner.turn(0, [settle(claims["warm"]), settle(claims["a"], "dead")])
    assert await client.cancel(queue, "a") == "dead"
    await client.redrive(queue, ["a"])

    assert [answer.id for answer in answers] == ["a.q", "a.q"]
    assert set(claims) == {"warm", "a"}
    assert await probe.ids("q", "completed") == ["warm"]
    assert await probe.ids("q", "normal") == ["a"]
    assert await probe.totals() == {"claimed": 2, "done": 1, "dead": 1}


async def test_a_script_that_the_store_forgot_is_sent_whole_with_the_same_turn(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b"))
    owner = Owner(store, queue)
    first = await owner.turn(1)
    await store.rest.execute(["SCRIPT", "FLUSH"], "test")

    again = await owner.again()

    assert again.claims == first.claims
    assert await probe.totals() == {"claimed": 1}


async def test_an_ended_owner_is_forgotten_after_ten_seconds(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    for i in range(20):
        owner = Owner(store, queue, f"short{i}")
        await store.enqueue(queue, jobs(f"a{i}"))
        await owner.finish(*await owner.claim())
    clock.advance(10)

    await Owner(store, queue, "next").turn()

    assert (await probe.scalars())["replay"].count(";") == 1


async def test_an_owners_last_turn_can_be_repeated_for_ten_seconds(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim())
    clock.advance(9.999)
    await Owner(store, queue, "other").turn()
    before = await probe.snapshot(), await probe.totals()

    again = await owner.again()

    assert again.stale == frozenset()
    assert (await probe.snapshot(), await probe.totals()) == before


async def test_a_repeated_claim_starts_its_jobs_at_the_times_of_the_first(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(limit=RateLimit(1, per=1, burst=2))
    await store.enqueue(queue, numbered(20))
    await Owner(store, queue, "other").turn(4, ahead_ms=20_000)
    owner = Owner(store, queue)
    first = await owner.turn(3, ahead_ms=20_000)
    clock.advance(1.5)

    again = await owner.again()

    assert (first.level, again.level) == (-2000, -2000)
    assert again.claimed_ms == first.claimed_ms == again.now_ms - 1500
    assert again.claims == first.claims


@pytest.mark.parametrize("repeat_ms", [1_000, 30_000, 290_000])
@pytest.mark.parametrize("want", [0, 5])
async def test_a_turn_is_remembered_as_long_as_its_client_may_repeat_it(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock, repeat_ms: int, want: int
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    owner = Owner(store, queue)
    (claim,) = await owner.claim()
    await owner.turn(want, [settle(claim)], repeat_ms=repeat_ms)
    clock.advance(repeat_ms / 1000 - 0.001)
    await Owner(store, queue, "other").turn()
    before = await probe.totals()

    again = await owner.again()

    assert (again.stale, await probe.totals()) == (frozenset(), before)


@pytest.mark.parametrize("repeat_ms", [1_000, 30_000])
async def test_an_ended_owner_is_forgotten_when_its_client_has_given_up(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock, repeat_ms: int
) -> None:
    queue = declare()
    for i in range(20):
        await store.enqueue(queue, jobs(f"a{i}"))
        owner = Owner(store, queue, f"short{i}")
        claims = await owner.claim()
        await owner.turn(0, [settle(claim) for claim in claims], repeat_ms=repeat_ms)
    clock.advance(repeat_ms / 1000)

    await Owner(store, queue, "next").turn()

    assert (await probe.scalars())["replay"].count(";") == 1
