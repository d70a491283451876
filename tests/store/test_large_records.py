"""A claim reads the records that it hands out, and few others, whatever their size."""

from __future__ import annotations

import pytest

from shared.jobs.job import Job
from shared.store.scripts import script
from shared.store.turn import CLAIM_MAX_BYTES
from tests.support.turns import Owner, ids
from tests.support.world import World

READ = "tidegate:bytes-read"
_COUNTING = """
local redis = (function(real)
  local server = _G.redis
  local function call(name, ...)
    local reply = real.call(name, ...)
    if name == "HMGET" then
      local bytes = 0
      for i = 1, #reply do
        if reply[i] and string.len(reply[i]) > 1000 then bytes = bytes + string.len(reply[i]) end
      end
      server.call("INCRBY", "%s", string.format("%%.0f", bytes))
    end
    return reply
  end
  return setmetatable({call = call}, {__index = real})
end)(redis)
"""


async def _bytes_read(world: World, owner: Owner, prefetch: int | None) -> tuple[list[str], int]:
    """The ids of a claim of a hundred, and the bytes of records that the script read for it."""
    await world.probe.run("DEL", READ)
    world.protocol.preface_next(script("turn").sha, " ".join((_COUNTING % READ).split()))
    claims = await owner.claim(100, prefetch=prefetch)
    return ids(claims), int(await world.probe.run("GET", READ) or 0)


@pytest.mark.best_server  # 90 MB
@pytest.mark.parametrize("size", [2_000, 100_000, 900_000])
async def test_a_claim_reads_little_more_than_it_hands_out(world: World, size: int) -> None:
    queue = world.app.queue("q", max_bytes=2**40)
    for n in range(40):
        await world.store.enqueue(queue, [Job("t", f'"{"y" * size}"', id=f"b{n:03}")])
    owner, seen = Owner(world.store, queue), list[str]()
    for prefetch in (10, 5, 5):
        claimed, read = await _bytes_read(world, owner, prefetch)
        handed_out = len(claimed) * size
        most = 10 if prefetch == 10 else 5
        assert read <= max(handed_out, CLAIM_MAX_BYTES, most * size) + 3 * size
        assert len(claimed) == min(40 - len(seen), max(1, CLAIM_MAX_BYTES // (size + 60)))
        seen += claimed
        await owner.turn(0)

    assert seen == [f"b{n:03}" for n in range(len(seen))]


@pytest.mark.parametrize("prefetch", [0, 3, 100])
async def test_the_order_and_the_ids_are_the_same_whatever_is_read_at_first(
    world: World, prefetch: int
) -> None:
    queue = world.app.queue("q")
    batch = [Job("t", "{}", id=f"j{n:03}") for n in range(50)]
    high = [Job("t", "{}", id=f"h{n:03}", priority="high") for n in range(5)]
    await world.store.enqueue(queue, [*batch, *high])

    claims = await Owner(world.store, queue).claim(52, prefetch=prefetch)

    assert ids(claims) == [job.id for job in [*high, *batch]][:52]


async def test_small_jobs_are_read_with_the_numbers_of_the_queue(world: World) -> None:
    await Owner(world.store, world.app.queue("warm")).turn()  # the store has the script
    prices = []
    for prefetch in (100, 0):
        queue = world.app.queue(f"q{prefetch}")
        await world.store.enqueue(queue, [Job("t", "{}", id=f"j{n:03}") for n in range(100)])
        before = world.store.meter.snapshot()
        await Owner(world.store, queue).claim(100, prefetch=prefetch)
        prices.append(world.store.meter.since(before).commands)

    assert prices[0] == prices[1] - 1


async def test_the_first_job_is_handed_out_however_large_it_is(world: World) -> None:
    queue = world.app.queue("q", max_bytes=2**40)
    for n in range(2):
        await world.store.enqueue(queue, [Job("t", f'"{"y" * (CLAIM_MAX_BYTES + 1)}"', id=f"b{n}")])

    reply = await Owner(world.store, queue).turn(5)

    assert (ids(reply.claims), reply.reason) == (["b0"], "more")
