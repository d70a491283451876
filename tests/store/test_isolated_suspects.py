"""Claims of suspects for child processes: several in one turn, beside all other jobs."""

from __future__ import annotations

from shared.store import Store
from shared.testing import FakeClock
from tests.support.probe import Probe
from tests.support.turns import LEASE_MS, Owner, ids, jobs, make_exclusive
from tests.support.values import Declare


async def test_a_turn_claims_as_many_suspects_as_it_wants_and_nothing_else(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b", "c", "d", "e"))
    await make_exclusive(store, queue, clock)
    await store.enqueue(queue, jobs("other"))
    owner = Owner(store, queue)

    reply = await owner.turn(3, exclusive=False, isolated=True)
    repeated = await owner.again()
    rest = await owner.turn(3, exclusive=False, isolated=True)
    others = await owner.turn(3, exclusive=False, isolated=True)

    assert ids(reply.claims) == ids(repeated.claims) == ["a", "b", "c"]
    assert {(claim.exclusive, claim.isolated) for claim in reply.claims} == {(False, True)}
    assert (reply.suspects, reply.reason) == (2, "suspect")
    assert (ids(rest.claims), rest.suspects) == (["d", "e"], 0)
    assert [(claim.id, claim.isolated) for claim in others.claims] == [("other", False)]


async def test_one_that_a_function_died_of_is_left_for_a_function_that_runs_nothing_else(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b", "c"))
    await make_exclusive(store, queue, clock)
    await Owner(store, queue, "dead3").turn(2, exclusive=False, isolated=True)
    clock.advance(LEASE_MS / 1000)
    owner = Owner(store, queue)

    first = await owner.turn(3, exclusive=False, isolated=True)
    second = await owner.turn(3, exclusive=False, isolated=True)
    third = await owner.turn(3)

    assert ids(first.claims) == ["c"]
    assert (first.suspects, second.suspects) == (2, 2)
    assert second.claims == []
    assert [(claim.id, claim.exclusive, claim.crashes) for claim in third.claims] == [
        ("a", True, 1)
    ]


async def test_their_concurrency_and_their_release_are_those_of_all_suspects(
    store: Store, declare: Declare, clock: FakeClock, probe: Probe
) -> None:
    queue = declare(concurrency=2)
    await store.enqueue(queue, jobs("a", "b", "c"))
    await make_exclusive(store, queue, clock)
    await make_exclusive(store, queue, clock)
    owner = Owner(store, queue)

    reply = await owner.turn(3, exclusive=False, isolated=True)
    await owner.finish(*reply.claims, kind="release")

    assert len(reply.claims) == 2
    assert sorted(await probe.ids("q", "suspects")) == ["a", "b", "c"]
