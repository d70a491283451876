"""Backlogs of keys beside what else moves or holds jobs: a purge, the queue's rate, the line."""

from __future__ import annotations

import pytest

from shared import KeyLimit, RateLimit
from shared.jobs.job import Job
from shared.store import Store
from shared.store.repair import repair
from shared.testing import FakeClock
from tests.support.nudges import SeenNudges
from tests.support.probe import Probe
from tests.support.turns import Owner, ids, jobs, make_exclusive, numbered, settle
from tests.support.values import Declare


@pytest.mark.parametrize("count", [1, 2, 25])
async def test_jobs_start_that_were_put_off_after_a_purge_of_their_key(
    store: Store, declare: Declare, clock: FakeClock, count: int
) -> None:
    queue = declare(per_key=KeyLimit(rate=RateLimit(1, per=10, burst=2)))
    owner = Owner(store, queue)
    await store.enqueue(queue, numbered(count + 2, "old", key="k"))
    await owner.finish(*await owner.claim())
    await store.purge(queue)
    clock.advance(10)
    assert await owner.claim() == []  # the turn that finds the backlog empty
    await store.enqueue(queue, numbered(3, "new", key="k"))

    started = list[str]()
    for _ in range(6):
        claims = await owner.claim()
        started += ids(claims)
        await owner.finish(*claims)
        clock.advance(10)

    assert started == ["new000", "new001", "new002"]


async def test_jobs_start_that_stand_behind_many_cancelled_ones(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(per_key=KeyLimit(rate=RateLimit(1, per=10)))
    owner = Owner(store, queue)
    await store.enqueue(queue, numbered(40, key="k"))
    await owner.finish(*await owner.claim())
    for n in range(1, 37):
        await store.cancel(queue, f"j{n:03}")

    started = list[str]()
    for _ in range(6):
        clock.advance(10)
        claims = await owner.claim()
        started += ids(claims)
        await owner.finish(*claims)

    assert started == ["j037", "j038", "j039"]


async def test_a_queue_without_a_token_calls_nobody_for_jobs_whose_keys_have_room(
    store: Store, declare: Declare, clock: FakeClock, probe: Probe
) -> None:
    queue = declare(per_key=KeyLimit(concurrency=1), limit=RateLimit(2, per=60, burst=2))
    await store.enqueue(queue, jobs("a", "b", key="k"))
    await store.enqueue(queue, jobs("c"))
    owner = Owner(store, queue)
    claims = await owner.claim()
    assert ids(claims) == ["a", "c"]

    reply = await owner.turn(10, [settle(claim) for claim in claims])

    assert (reply.claims, reply.reason, reply.wait_ms) == ([], "limited", 30_000)
    assert await probe.read("q", "agenda") == {"q": clock.epoch_ms() + 30_000}
    clock.advance(30)
    assert ids(await owner.claim()) == ["b"]


async def test_an_enqueue_calls_a_drain_after_a_turn_that_found_neither_token_nor_job(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    seen = SeenNudges()
    seen.on(store, 1.0)
    queue = declare(limit=RateLimit(1, per=60))
    await store.enqueue(queue, jobs("a"))
    owner = Owner(store, queue)
    assert (await owner.turn(10, [settle(c) for c in await owner.claim()])).reason == "empty"
    clock.advance(2)  # the window of nudges ends

    await store.enqueue(queue, jobs("b"))

    assert len(seen.calls) == 2


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 9, 10])
async def test_keys_that_have_room_again_leave_the_line_half_of_a_claim(
    store: Store, declare: Declare, clock: FakeClock, most: int
) -> None:
    queue = declare(per_key=KeyLimit(rate=RateLimit(4, per=1)))
    put_off = [job for n in range(5) for job in numbered(8, f"k{n}x", key=f"k{n}")]
    await store.enqueue(queue, put_off)
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim(100))
    await store.enqueue(queue, numbered(20, "line"))
    clock.advance(1)

    claims = ids(await owner.claim(most))

    from_line = sum(name.startswith("line") for name in claims)
    assert len(claims) == most
    assert from_line in (most // 2, (most + 1) // 2)


async def test_the_lowest_priority_does_not_starve_beside_backlogs(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(per_key=KeyLimit(rate=RateLimit(100, per=1)))
    await store.enqueue(queue, numbered(300, "busy", key="k"))
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim(200))
    await store.enqueue(
        queue, [*numbered(60, "high", priority="high"), *jobs("low", priority="low")]
    )
    clock.advance(1)

    claimed = list[str]()
    for _ in range(34):
        claims = await owner.claim(1)
        claimed += ids(claims)
        await owner.finish(*claims)

    assert "low" in claimed


async def test_a_repair_leaves_jobs_alone_that_wait_for_their_keys(
    store: Store, declare: Declare
) -> None:
    queue = declare(per_key=KeyLimit(concurrency=1))
    await store.enqueue(queue, [*jobs("a", "b", "c", key="k"), *jobs("d", "e", key="l")])
    owner = Owner(store, queue)
    held = await owner.claim()

    repairs = await repair(store, queue)
    started = ids(held)
    while held:
        await owner.finish(*held)
        held = await owner.claim()
        started += ids(held)

    assert repairs.is_sound
    assert sorted(started) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize(
    "limit",
    [KeyLimit(concurrency=1), KeyLimit(rate=RateLimit(1, per=3600))],
    ids=["concurrency", "rate"],
)
async def test_a_suspect_that_waits_for_its_key_holds_no_other_keys_suspect(
    store: Store, declare: Declare, clock: FakeClock, limit: KeyLimit, *, isolated: bool
) -> None:
    queue = declare()
    await store.enqueue(queue, [*jobs("a", "b", "c", key="k"), *jobs("d", "e", key="l")])
    await store.enqueue(queue, jobs("f"))
    await make_exclusive(store, queue, clock)
    queue = declare(per_key=limit)
    owner = Owner(store, queue)

    async def claim() -> list[str]:
        reply = await owner.turn(10, isolated=isolated, exclusive=not isolated)
        assert all(claim.exclusive or claim.isolated for claim in reply.claims)
        return ids(reply.claims)

    started = [await claim() for _ in range(3)]

    assert [name for some in started for name in some] == ["a", "d", "f"]
    assert await claim() == []
    assert (await store.stats(queue)).sizes["suspects"] == 3  # b, c and e


async def test_suspects_of_a_key_run_in_their_order_as_it_has_room(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, [*jobs("a", "b", "c", key="k"), *jobs("d", key="l")])
    await make_exclusive(store, queue, clock)
    queue, started = declare(per_key=KeyLimit(concurrency=1)), list[str]()
    owner = Owner(store, queue)
    held = [*await owner.claim(1), *await owner.claim(1)]
    while held:
        started += ids(held)
        await owner.finish(*held)
        held = await owner.claim(1)

    assert started == ["a", "d", "b", "c"]


@pytest.mark.best_server
@pytest.mark.parametrize("size", [1_000, 900_000])
async def test_a_turn_puts_off_no_more_bytes_than_a_reply_holds(
    store: Store, declare: Declare, clock: FakeClock, size: int
) -> None:
    count = 16
    queue = declare(per_key=KeyLimit(rate=RateLimit(1, per=1)))
    payload = f'"{"x" * size}"'
    large = [Job("t", payload, id=f"j{n:03}", key="k") for n in range(count)]
    for job in large:
        await store.enqueue(queue, [job])
    await store.enqueue(queue, jobs("behind", key="other"))
    owner, turns, started = Owner(store, queue), 0, list[str]()

    while "behind" not in started:
        reply = await owner.turn(2)
        turns += 1
        started += ids(reply.claims)
        put_off = (await store.stats(queue)).sizes["delayed"]
        assert put_off <= turns * (4 * 2**20 // size + 1)

    assert started == ["j000", "behind"]
    assert turns == (1 if size < 10_000 else 4)
    while len(started) < count + 1:
        clock.advance(1)
        started += ids(await owner.claim())
    assert started == ["j000", "behind", *(job.id for job in large[1:])]
