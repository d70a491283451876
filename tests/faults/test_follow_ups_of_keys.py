"""Follow-ups where each key has limits: a job that only has to end is held by no limit of its key,
and a job in a backlog keeps what its death needs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from itertools import count

import pytest

from shared import KeyLimit, Queue, RateLimit
from shared.jobs.ends import DecidedEnd
from shared.observe.explain import explain
from tests.faults.conftest import Play
from tests.faults.test_follow_ups import Death, Note, Outcome, Plan, drain_until_death
from tests.support.turns import LEASE_MS, Owner, ids, jobs, numbered, settle
from tests.support.values import Number
from tests.support.world import World

ONE_AT_ONCE = KeyLimit(concurrency=1)
ONE_AN_HOUR = KeyLimit(rate=RateLimit(1, per=3600))


def decided(world: World) -> str:
    """The history of a job whose end is decided."""
    return json.dumps(dict(DecidedEnd("done", "m", world.clock.epoch_ms()).detail()))


def bare(world: World, limit: KeyLimit) -> Queue:
    queue = world.app.queue("q", per_key=limit)

    @queue.job("t")
    async def handle(payload: Number) -> None:
        return None

    return queue


@pytest.mark.parametrize("outcomes", [["done"], ["dead"], ["retry", "done"]], ids="-".join)
@pytest.mark.parametrize("death", ["before", "after"])
def test_a_function_may_die_at_every_request_where_its_key_runs_one_job_at_once(
    play: Play[bool], outcomes: Sequence[Outcome], death: Death
) -> None:
    async def story(world: World, n: int) -> bool:
        plan = Plan(world, outcomes, per_key=ONE_AT_ONCE)
        await plan.enqueue(3, key="ann")
        died = await drain_until_death(world, n, death)
        await world.clock.sleep(60)
        await plan.settle_down()
        await plan.check(3)
        assert (await world.store.stats(plan.queue)).sizes["active"] == 0
        return died

    for n in count(1):
        if not play(partial(story, n=n)):
            assert n > 8
            return


async def test_a_decided_end_keeps_its_slot_until_it_is_settled(world: World) -> None:
    queue = bare(world, ONE_AT_ONCE)
    await world.store.enqueue(queue, numbered(2, key="ann"))
    owner = Owner(world.store, queue)
    (first,) = await owner.claim()

    deciding = await owner.turn(10, [settle(first, "decide", history=decided(world))])
    ending = await owner.turn(10, [settle(first)])

    assert (deciding.claims, ids(ending.claims)) == ([], ["j001"])


@pytest.mark.parametrize("limit", [ONE_AT_ONCE, ONE_AN_HOUR], ids=["concurrency", "rate"])
async def test_a_decided_end_whose_function_died_waits_for_no_limit_of_its_key(
    world: World, limit: KeyLimit
) -> None:
    queue = bare(world, limit)
    await world.store.enqueue(queue, numbered(3, key="ann"))
    dead = Owner(world.store, queue, "dead")
    (first,) = await dead.claim()
    await dead.turn(0, [settle(first, "decide", history=decided(world))])
    world.clock.advance(LEASE_MS / 1000)
    alive = Owner(world.store, queue, "alive")

    taken = await alive.claim()
    others = [claim for claim in taken if claim.id != "j000"]

    (end,) = [claim for claim in taken if claim.id == "j000"]
    assert end.decided
    assert ids(others) == (["j001"] if limit is ONE_AT_ONCE else [])
    assert (
        await alive.turn(10, [settle(end)])
    ).claims == []  # it gives no slot back that it had not


async def test_a_decided_end_that_is_put_off_passes_a_key_without_room(world: World) -> None:
    queue = bare(world, ONE_AT_ONCE)
    await world.store.enqueue(queue, numbered(2, key="ann"))
    owner = Owner(world.store, queue)
    (first,) = await owner.claim()
    history = decided(world)
    await owner.turn(0, [settle(first, "decide", history=history)])
    (second,) = (await owner.turn(10, [settle(first, "release", 5000, history)])).claims
    world.clock.advance(5)

    again = await owner.claim()

    assert (second.id, ids(again)) == ("j001", ["j000"])
    assert again[0].decided


async def test_a_job_in_a_backlog_has_the_follow_ups_of_its_death(world: World) -> None:
    queue = bare(world, ONE_AT_ONCE)
    await world.store.enqueue(queue, jobs("a", "b", key="ann", follows_death=True))
    (first,) = await Owner(world.store, queue, "first").claim()  # "b" goes to the backlog
    await Owner(world.store, queue, "ends").turn(0, [settle(first)])
    for n in range(5):  # twice with others, three times by itself
        (claim,) = await Owner(world.store, queue, f"dies{n}", lease_ms=1).claim()
        assert (claim.id, claim.crashed) == ("b", False)
        world.clock.advance(1)

    (claim,) = await Owner(world.store, queue, "settles").claim()

    assert (claim.id, claim.crashed) == ("b", True)


async def test_follow_ups_that_their_key_may_not_have_yet_are_stored_later(world: World) -> None:
    queue, seen = world.app.queue("q"), list[int]()
    strict = world.app.queue(
        "strict", per_key=KeyLimit(rate=RateLimit(1, per=300)), if_limited="refuse"
    )

    @queue.job("work")
    async def work(payload: Number) -> None:
        seen.append(0)

    @strict.job("note", key=lambda _payload: "ann")
    async def note(payload: Note) -> None:
        seen.append(payload.of)

    then = [note.job(Note(of=n, end="completed")) for n in (1, 2)]
    await world.store.enqueue(queue, [work.job(Number(), job_id="j0", then=then)])
    await world.drained(queue)

    view = await world.store.inspect(queue, "j0")
    assert [gate.code for gate in explain(view)] == ["follow_ups"]
    assert "'ann'" in explain(view)[0].detail
    for _ in range(12):
        await world.drain(budget=50).tick()
        world.clock.advance(70)
    assert (await world.store.inspect(queue, "j0")).state == "completed"
    assert seen == [0, 1, 2]
