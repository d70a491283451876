"""A turn that starts a job from its key's backlog may stop at any write: the job does not wait for
a token that the turn did not take, nor for a lease that it did not keep."""

from __future__ import annotations

import pytest

from shared import KeyLimit, RateLimit
from shared.errors import StoreError
from tests.support.failing import failing
from tests.support.turns import LEASE_MS, Owner, ids, jobs
from tests.support.world import World

pytestmark = pytest.mark.each_write
MOST_WRITES = 9
TOKEN_AFTER = 36_000
LIMITS = {
    "rate": KeyLimit(rate=RateLimit(1, per=TOKEN_AFTER)),
    "concurrency": KeyLimit(concurrency=1),
    "both": KeyLimit(rate=RateLimit(1, per=TOKEN_AFTER), concurrency=1),
}


async def _next_start(world: World, owner: Owner, *, phantom: bool) -> list[str]:
    """What the next turn starts. `phantom`: a lease that a stopped turn left may hold the key's
    place until its end, though nothing runs under it."""
    started = ids(await owner.claim())
    if phantom and not started:
        world.clock.advance(LEASE_MS / 1000)
        started = ids(await owner.claim())
    return started


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("killed", [False, True], ids=["once", "killed"])
@pytest.mark.parametrize("repeated", [False, True], ids=["not repeated", "repeated"])
async def test_the_next_turn_starts_what_a_stopped_one_did_not(
    world: World, limit: str, *, killed: bool, repeated: bool
) -> None:
    stopped_at = list[str]()
    for n in range(1, MOST_WRITES):
        queue = world.app.queue(f"q{n}", per_key=LIMITS[limit])
        await world.store.enqueue(queue, jobs("a", "b", "c", key="k"))
        before, struck = Owner(world.store, queue, "before"), Owner(world.store, queue, "struck")
        held = await before.claim()
        if limit == "concurrency":
            world.clock.advance(LEASE_MS / 2000)  # a timer at the end of its lease would be late
            await before.finish(*held)
        else:
            await before.finish(*held)
            world.clock.advance(TOKEN_AFTER)
        fault = await failing(world, "turn", n, killed=killed)
        try:
            await struck.claim()
        except StoreError as error:
            command = await fault.struck(error)
        else:
            assert "HSET" in stopped_at
            return

        is_written = "HSET" in stopped_at  # the records and the states of keys
        if repeated or is_written:
            started = ids((await struck.again()).claims)
        else:
            next_one = Owner(world.store, queue, "next")
            started = await _next_start(world, next_one, phantom=killed and limit != "rate")

        assert started == ["b"], f"write {n}, {command}"
        stopped_at.append(command)
    pytest.fail("MOST_WRITES is too small")
