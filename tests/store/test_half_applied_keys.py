"""An enqueue that may be refused at the door, or that calls a drain, may stop at any write: no
token is lost or gained, and at most one drain is called."""

from __future__ import annotations

import pytest

from shared import KeyLimit, RateLimit
from shared.errors import KeyLimited, StoreError
from tests.support.failing import failing
from tests.support.nudges import SeenNudges
from tests.support.turns import Owner, ids, jobs
from tests.support.world import World

pytestmark = pytest.mark.each_write
MOST_WRITES = 12
every_write = pytest.mark.parametrize("n", range(1, MOST_WRITES))


@every_write
@pytest.mark.parametrize("known", [0, 1], ids=["new keys", "known keys"])
async def test_tokens_of_an_enqueue_that_failed_at_a_write_go_back(
    world: World, n: int, known: int
) -> None:
    queue = world.app.queue(
        "q", per_key=KeyLimit(rate=RateLimit(3, per=3600, burst=3)), if_limited="refuse"
    )
    for key in ("k", "l")[: 2 * known]:
        await world.store.enqueue(queue, jobs(f"before-{key}", key=key))
    batch = [*jobs("a", "b", key="k"), *jobs("c", key="l")]
    fault = await failing(world, "enqueue", n)
    try:
        await world.store.enqueue(queue, batch)
    except StoreError as error:
        await fault.struck(error)
        await world.store.enqueue(queue, batch)
    else:
        assert n > 1

    rest = await world.store.enqueue(
        queue, [*jobs("d", "e", key="k"), *jobs("f", "g", "h", key="l")]
    )

    stored = 2 * known + 3 + sum(answer.stored for answer in rest)
    assert stored == 6  # three of each key, whatever failed
    assert len(await Owner(world.store, queue).claim(20)) == 6


@every_write
async def test_an_enqueue_that_is_killed_at_a_write_spends_its_tokens_once_at_most(
    world: World, n: int
) -> None:
    queue = world.app.queue(
        "q", per_key=KeyLimit(rate=RateLimit(3, per=3600, burst=3)), if_limited="refuse"
    )
    fault = await failing(world, "enqueue", n, killed=True)
    batch = jobs("a", "b", key="k")
    try:
        answers = await world.store.enqueue(queue, batch)
    except StoreError as error:
        await fault.struck(error)
        answers = await world.store.enqueue(queue, batch)
    else:
        assert n > 1

    rest = await world.store.enqueue(queue, jobs("c", "d", key="k"))

    claimed = ids(await Owner(world.store, queue).claim(20))
    stored = [j for j, r in zip("abcd", [*answers, *rest], strict=True) if r.stored]
    assert sorted(claimed) == stored
    assert not rest[1].stored
    # Records of other shards are written after the tokens: a stop between them spends those twice.
    assert stored[:2] == ["a", "b"] or (
        queue.shards > 1 and isinstance(answers[1].refusal, KeyLimited)
    )


@every_write
@pytest.mark.parametrize("lone", [True, False], ids=["one job", "several"])
async def test_an_enqueue_that_failed_at_a_write_and_its_repeat_call_one_drain_at_most(
    world: World, n: int, *, lone: bool
) -> None:
    seen = SeenNudges()
    seen.on(world.store, 1.0)
    queue = world.app.queue("q")
    batch = jobs("a") if lone else [*jobs("a", "b"), *jobs("c", priority="high")]
    fault = await failing(world, "enqueue", n)
    try:
        await world.store.enqueue(queue, batch)
    except StoreError as error:
        await fault.struck(error)
        assert seen.calls == []
        await world.store.enqueue(queue, batch)
    else:
        assert n > 1

    assert len(seen.calls) <= 1  # the note of a nudge may stay, then a tick comes instead
    assert sorted(ids(await Owner(world.store, queue).claim())) == sorted(j.id for j in batch)
