"""A claim that is killed between its leases and its lists: the jobs wait on and run once, the
leases of which no client was told go without a crash, and no job is handed out twice."""

from __future__ import annotations

from collections import Counter

import pytest

from shared import Queue
from shared.errors import StoreError
from shared.store.repair import repair
from tests.support.failing import failing
from tests.support.turns import LEASE_MS, Owner, ids, jobs, make_exclusive, numbered, settle
from tests.support.world import World

BETWEEN = (2, 3)
"""The writes of a claim between its leases and the first list."""


async def _cut(world: World, owner: Owner, n: int, **options: bool) -> None:
    """A claim of which every write from the n-th on fails."""
    fault = await failing(world, "turn", n, killed=True)
    with pytest.raises(StoreError) as raised:
        await owner.claim(3, **options)
    await fault.struck(raised.value)


async def _queue(world: World) -> Queue:
    queue = world.app.queue("q")
    await world.store.enqueue(queue, [*jobs("a", "b"), *jobs("h", priority="high")])
    return queue


async def _finish_all(world: World, queue: Queue, name: str) -> list[str]:
    owner, ran = Owner(world.store, queue, name), list[str]()
    while claims := await owner.claim():
        ran += ids(claims)
        await owner.finish(*claims)
    return ran


@pytest.mark.parametrize("n", BETWEEN)
async def test_another_function_runs_them_at_once_and_nothing_crashed(world: World, n: int) -> None:
    queue = await _queue(world)
    await _cut(world, Owner(world.store, queue, "cut"), n)

    assert sorted(await _finish_all(world, queue, "other")) == ["a", "b", "h"]

    await world.store.enqueue(queue, jobs("later"))
    held = await Owner(world.store, queue, "third").claim()
    world.clock.advance(LEASE_MS / 1000)
    await Owner(world.store, queue, "fourth").turn()
    assert ids(held) == ["later"]
    assert (await world.probe.totals()).get("crashed", 0) <= 1  # the third owner's own
    assert (await repair(world.store, queue, dry_run=True)).is_sound


@pytest.mark.parametrize("n", BETWEEN)
async def test_a_running_job_is_not_taken_away_when_the_phantom_expires(
    world: World, n: int
) -> None:
    queue = await _queue(world)
    await _cut(world, Owner(world.store, queue, "cut", lease_ms=10_000), n)
    runs = Owner(world.store, queue, "runs")
    claims = await runs.claim()
    world.clock.advance(11)

    again = await Owner(world.store, queue, "other").turn(10)
    reply = await runs.finish(*claims)

    assert (again.claims, reply.stale) == ([], frozenset())
    world.clock.advance(61)
    await Owner(world.store, queue, "later").turn()
    assert (await world.probe.totals()).get("crashed", 0) == 0
    assert await world.probe.ids("q", "active") == []


@pytest.mark.parametrize("n", BETWEEN)
async def test_what_nobody_claimed_meanwhile_waits_on_without_a_mark(world: World, n: int) -> None:
    queue = await _queue(world)
    await _cut(world, Owner(world.store, queue, "cut", lease_ms=10_000), n)
    world.clock.advance(61)
    await world.store.enqueue(queue, jobs("c"))

    ran = await _finish_all(world, queue, "other")

    assert Counter(ran) == Counter(["a", "b", "c", "h"])
    assert (await repair(world.store, queue, dry_run=True)).is_sound


@pytest.mark.parametrize("n", BETWEEN)
@pytest.mark.parametrize("meanwhile", [False, True])
async def test_a_repeat_whose_reply_is_lost_too_hands_nothing_out_that_others_have(
    world: World, n: int, *, meanwhile: bool
) -> None:
    queue = await _queue(world)
    owner, runs = Owner(world.store, queue, "cut"), Counter[str]()
    await _cut(world, owner, n)
    if meanwhile:
        await world.store.enqueue(queue, jobs("h2", "h3", priority="high"))
        other = Owner(world.store, queue, "other")
        taken = await other.claim(2)
        runs.update(ids(taken))
    await owner.again()
    claims = (await owner.again()).claims
    runs.update(ids(claims))
    await owner.finish(*claims)
    for round_ in range(3):
        world.clock.advance(61)
        runs.update(await _finish_all(world, queue, f"last{round_}"))

    everything = {"a", "b", "h", "h2", "h3"} if meanwhile else {"a", "b", "h"}
    assert set(runs) == everything
    twice = {job_id for job_id, count in runs.items() if count > 1}
    assert twice <= (set(ids(taken)) if meanwhile else set())  # its function was silent for 61 s


@pytest.mark.parametrize("n", BETWEEN)
async def test_a_suspect_that_was_cut_off_is_not_blamed(world: World, n: int) -> None:
    queue = world.app.queue("q")
    await world.store.enqueue(queue, jobs("a"))
    await make_exclusive(world.store, queue, world.clock)
    for round_ in range(4):
        await _cut(world, Owner(world.store, queue, f"cut{round_}"), n)
        world.clock.advance(61)
        await Owner(world.store, queue, f"other{round_}").turn(0, resync=n == 2)

    (claim,) = await Owner(world.store, queue, "runs").claim()

    assert (claim.id, claim.crashes) == ("a", 0)


async def test_a_claim_of_many_reads_each_record_once(world: World) -> None:
    queue = world.app.queue("q")
    await world.store.enqueue(queue, numbered(300))
    owner = Owner(world.store, queue)
    claims = await owner.claim(100)

    again = await owner.again()

    assert ids(claims) == [f"j{n:03}" for n in range(100)]
    assert sorted(ids(again.claims)) == ids(claims)
    assert (await owner.turn(0, [settle(claim) for claim in claims])).stale == frozenset()
