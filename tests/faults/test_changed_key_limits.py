"""A deploy changes the limits of keys: what waits for its key goes by the new ones at once."""

from __future__ import annotations

from typing import Any

import pytest

from shared import KeyLimit, RateLimit
from shared.store import Store
from shared.testing import FakeClock
from tests.faults.conftest import Play
from tests.support.turns import Owner, ids, jobs, numbered
from tests.support.values import Declare
from tests.support.world import World

SLOW = KeyLimit(rate=RateLimit(1, per=3600))
NEW = {
    "raised": (KeyLimit(rate=RateLimit(1, per=1)), 1, 1),
    "a larger bucket": (KeyLimit(rate=RateLimit(3, per=3600)), 1200, 1),
    "removed": (None, 0, 5),
    "a concurrency instead": (KeyLimit(concurrency=2), 0, 2),
    "refused at the door": (KeyLimit(rate=RateLimit(1, per=3600)), 0, 5),
}
"""New limits, the seconds after which they let jobs start, and how many."""


def options_of(change: str) -> dict[str, Any]:
    refuses = {"if_limited": "refuse"} if change.startswith("refused") else {}
    return {"per_key": NEW[change][0], **refuses}


@pytest.mark.parametrize("change", NEW)
async def test_the_next_turn_goes_by_the_limits_of_the_new_deployment(
    store: Store, declare: Declare, clock: FakeClock, change: str
) -> None:
    old, queue = declare(per_key=SLOW), declare(**options_of(change))
    await store.enqueue(old, [*numbered(6, key="k"), *jobs("other", key="l")])
    before, after = Owner(store, old), Owner(store, queue, "new")
    await before.finish(*await before.claim())
    _, seconds, count = NEW[change]

    started = ids(await after.claim())
    if seconds:
        assert started == []
        clock.advance(seconds)
        started = ids(await after.claim())

    assert started == [f"j{n:03}" for n in range(1, 1 + count)]


async def test_a_lowered_rate_holds_from_the_next_turn_on(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    fast, slow = KeyLimit(rate=RateLimit(1, per=1)), KeyLimit(rate=RateLimit(1, per=60))
    await store.enqueue(declare(per_key=fast), numbered(5, key="k"))
    before = Owner(store, declare(per_key=fast))
    await before.finish(*await before.claim())
    clock.advance(1)

    after = Owner(store, declare(per_key=slow), "new")
    started = []
    for _ in range(4):
        claims = await after.claim()
        await after.finish(*claims)
        started.append(len(claims))
        clock.advance(30)

    assert started == [1, 0, 1, 0]


async def test_all_of_many_keys_go_by_the_new_limits(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    await store.enqueue(
        declare(per_key=SLOW),
        [job for n in range(250) for job in numbered(2, f"k{n}-", key=f"k{n}")],
    )
    before = Owner(store, declare(per_key=SLOW))
    held = [*await before.claim(250), *await before.claim(250)]
    await before.finish(*held)
    assert len(held) == 250

    owner, started = Owner(store, declare(), "new"), list[str]()
    for _ in range(4):
        claims = await owner.claim(100)
        started += ids(claims)
        await owner.finish(*claims)

    assert len({*started}) == 250


@pytest.mark.one_shard
async def test_a_turn_after_the_first_one_with_new_limits_costs_as_before(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    costs = list[int]()
    await store.enqueue(declare(per_key=SLOW), numbered(6, key="k"))
    old = Owner(store, declare(per_key=SLOW))
    await old.finish(*await old.claim())
    owner = Owner(store, declare(per_key=KeyLimit(rate=RateLimit(1, per=1800))), "new")
    for _ in range(3):
        before = store.meter.snapshot()
        assert await owner.claim() == []
        costs.append(store.meter.since(before).commands)

    assert costs[0] > costs[1] == costs[2]


@pytest.mark.parametrize("change", ["raised", "removed", "refused at the door"])
def test_the_first_tick_of_a_new_deployment_goes_by_its_limits(
    play: Play[None], change: str
) -> None:
    async def story(old: World) -> None:
        queue = old.queue(per_key=SLOW)
        await old.enqueue(queue, 6, key="ann")
        await old.drain(budget=30.0).tick()
        assert len(old.ran) == 1
        await old.clock.sleep(30)

        async with World(old.engine, old.clock) as new:
            new.queue(**options_of(change))
            await new.drain(budget=10.0).tick()

        assert len(new.ran) >= 4

    play(story)


async def test_turns_of_two_versions_in_turn_get_to_all_of_many_keys(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    versions = [declare(per_key=KeyLimit(rate=RateLimit(1, per=per))) for per in (3600, 3000)]
    names = [f"k{n:03}" for n in range(250)]
    await store.enqueue(versions[0], [job for k in names for job in jobs(k + "a", k + "b", key=k)])
    before = Owner(store, versions[0], "before")
    await before.finish(*await before.claim(250))
    await before.finish(*await before.claim(250))
    clock.advance(7200)

    owners, started = [Owner(store, one, f"v{i}") for i, one in enumerate(versions)], list[str]()
    for n in range(20):
        claims = await owners[n % 2].claim(20)
        started += ids(claims)
        await owners[n % 2].finish(*claims)
        clock.advance(0.05)

    assert sorted(started) == [key + "b" for key in names]
