"""Limits of keys inside the claim: exact, on store time only, and no job waits for another key."""

from __future__ import annotations

from collections import Counter

import pytest

from shared import KeyLimit, RateLimit
from shared.jobs.job import Job
from shared.store import Store
from shared.testing import FakeClock
from tests.support.probe import Probe
from tests.support.turns import LEASE_MS, Owner, ids, jobs, numbered, settle
from tests.support.values import Declare

TEN_A_MINUTE = KeyLimit(rate=RateLimit(10, per=60))


async def test_a_job_over_the_rate_waits_for_its_key_and_starts_when_it_has_a_token(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(per_key=TEN_A_MINUTE)
    await store.enqueue(queue, numbered(12, key="u1"))
    owner = Owner(store, queue)

    first = await owner.turn(20)
    second = await owner.turn(20, [settle(claim) for claim in first.claims])

    assert ids(first.claims) == [f"j{i:03}" for i in range(10)]
    assert (second.claims, second.reason, second.wait_ms) == ([], "empty", 6000)
    clock.advance(5.999)
    assert await owner.claim() == []
    clock.advance(0.001)
    assert ids(await owner.claim()) == ["j010"]
    clock.advance(6)
    assert ids(await owner.claim()) == ["j011"]


async def test_a_flood_of_one_key_blocks_no_other(store: Store, declare: Declare) -> None:
    queue = declare(per_key=TEN_A_MINUTE)
    await store.enqueue(queue, [*numbered(300, key="loud"), *jobs("quiet", key="q"), *jobs("none")])

    claims = await Owner(store, queue).claim(20)

    assert ids(claims)[10:] == ["quiet", "none"]


async def test_a_key_runs_so_many_jobs_at_once_and_an_end_lets_the_next_one_go_in_the_same_turn(
    store: Store, declare: Declare
) -> None:
    queue = declare(per_key=KeyLimit(concurrency=2))
    await store.enqueue(queue, [*numbered(5, "a", key="a"), *numbered(3, "b", key="b")])
    owner = Owner(store, queue)

    first = await owner.claim()
    second = (await owner.turn(10, [settle(first[0])])).claims
    third = (await owner.turn(10, [settle(first[2]), settle(second[0])])).claims

    assert ids(first) == ["a000", "a001", "b000", "b001"]
    assert ids(second) == ["a002"]
    assert sorted(ids(third)) == ["a003", "b002"]


async def test_a_dead_function_gives_its_key_back(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(per_key=KeyLimit(concurrency=1))
    await store.enqueue(queue, jobs("a", "b", key="k"))
    assert ids(await Owner(store, queue, "dead").claim()) == ["a"]
    assert await Owner(store, queue, "waits").claim() == []
    clock.advance(LEASE_MS / 1000)

    claims = await Owner(store, queue, "next").claim(exclusive=False)

    assert ids(claims) == ["b"]


async def test_the_states_of_keys_shrink_to_nothing(
    store: Store, declare: Declare, clock: FakeClock, probe: Probe
) -> None:
    queue = declare(per_key=KeyLimit(rate=RateLimit(1, per=1), concurrency=1))
    await store.enqueue(queue, [job for n in range(40) for job in jobs(f"{n}", key=f"k{n % 20}")])
    owner, runs = Owner(store, queue), Counter[str]()
    for _ in range(4):
        claims = await owner.claim(100)
        runs.update(ids(claims))
        await owner.finish(*claims)
        clock.advance(1)
    assert len(runs) == 40
    clock.advance(600)

    await owner.turn()

    left = await probe.snapshot()
    assert not {"key_timers", "backlogs"} & set(left)
    assert not [name for name in await probe.scalars() if name.startswith("key:")]


@pytest.mark.one_shard
@pytest.mark.parametrize("keys", [10, 10_000])
async def test_a_turn_costs_the_same_for_any_number_of_keys(
    store: Store, declare: Declare, keys: int
) -> None:
    queue = declare(per_key=KeyLimit(rate=RateLimit(1000), concurrency=100))
    await store.enqueue(queue, _of_keys(400, keys, "j"))
    owner = Owner(store, queue)
    held = await owner.claim(100)
    before = store.meter.snapshot()

    await owner.turn(100, [settle(claim) for claim in held])

    assert store.meter.since(before).commands <= 12  # 11 where it sees no key for the first time


LIMITS = {
    "none": None,
    "rate": KeyLimit(rate=RateLimit(10_000)),
    "concurrency": KeyLimit(concurrency=1000),
    "both": KeyLimit(rate=RateLimit(10_000), concurrency=1000),
}


@pytest.mark.one_shard
@pytest.mark.parametrize("batch", [1, 20, 100])
@pytest.mark.parametrize(
    ("limits", "commands"), [("none", 9), ("rate", 10), ("concurrency", 11), ("both", 11)]
)
async def test_a_turn_with_limits_of_keys_has_its_price_whatever_the_batch(
    store: Store, declare: Declare, limits: str, commands: int, batch: int
) -> None:
    queue, keys = declare(per_key=LIMITS[limits]), 7
    owner = Owner(store, queue)
    for n in range(3):
        await store.enqueue(queue, _of_keys(batch * 2, keys, f"r{n}-"))
        held = await owner.claim(batch)
        before = store.meter.snapshot()
        held = (await owner.turn(batch, [settle(claim) for claim in held])).claims
        cost = store.meter.since(before).commands
        await owner.finish(*held)
    assert (len(held), cost) == (batch, commands)


@pytest.mark.one_shard
@pytest.mark.parametrize("batch", [1, 20, 100])
async def test_to_put_jobs_back_and_to_start_them_later_has_a_price_whatever_their_number(
    store: Store, declare: Declare, clock: FakeClock, batch: int
) -> None:
    queue = declare(per_key=KeyLimit(rate=RateLimit(batch, per=1), concurrency=batch))
    await store.enqueue(queue, _of_keys(2 * batch, 1, "j"))
    owner, spent = Owner(store, queue), store.meter.snapshot()

    held = await owner.claim(batch + 1)
    back, spent = store.meter.since(spent).commands, store.meter.snapshot()
    clock.advance(1)
    started = (await owner.turn(batch, [settle(claim) for claim in held])).claims
    later = store.meter.since(spent).commands

    assert (len(held), len(started)) == (batch, batch)
    assert (back, later) == (12 if batch == 1 else 13, 14)


@pytest.mark.one_shard
@pytest.mark.parametrize("batch", [1, 20, 100])
async def test_an_enqueue_that_may_be_refused_has_a_price_whatever_the_number_of_jobs(
    store: Store, declare: Declare, batch: int
) -> None:
    queue = declare(per_key=KeyLimit(rate=RateLimit(batch, per=60)), if_limited="refuse")
    await store.enqueue(declare("warm"), jobs("x"))  # the store has the script
    before = store.meter.snapshot()

    first = await store.enqueue(queue, _of_keys(batch, 1, "a"))
    let_in, before = store.meter.since(before).commands, store.meter.snapshot()
    second = await store.enqueue(queue, _of_keys(batch, 1, "b"))
    refused = store.meter.since(before).commands

    assert [answer.stored for answer in first + second] == [True] * batch + [False] * batch
    assert (let_in, refused) == (7, 3)


def _of_keys(count: int, keys: int, prefix: str) -> list[Job]:
    return [job for n in range(count) for job in jobs(f"{prefix}{n:03}", key=f"k{n % keys}")]
