"""The token bucket inside the claim: exact, on store time only."""

from __future__ import annotations

import pytest

from shared import App, RateLimit
from shared.store import Store
from shared.store.compose import FOLDER
from shared.store.turn import Settle
from shared.testing import FakeClock
from tests.support.probe import Probe
from tests.support.turns import Owner, jobs, make_exclusive, numbered, settle
from tests.support.values import Declare


async def test_a_fresh_bucket_is_full_and_refills_to_the_millisecond(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(limit=RateLimit(4, per=1, burst=3))
    await store.enqueue(queue, numbered(20))
    owner = Owner(store, queue)

    first = await owner.turn(10)
    empty = await owner.turn(10)

    assert (len(first.claims), first.reason) == (3, "limited")
    assert (empty.claims, empty.reason, empty.wait_ms) == ([], "limited", 250)
    clock.advance(0.249)
    assert await owner.claim() == []
    clock.advance(0.001)
    assert len(await owner.claim()) == 1


async def test_a_limited_queue_is_on_the_agenda_for_its_next_token(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(limit=RateLimit(1, per=60, burst=1))
    await store.enqueue(queue, jobs("a", "b"))
    owner = Owner(store, queue)
    (a,) = await owner.claim()

    await owner.turn(1, [settle(a)])

    assert await probe.read("q", "agenda") == {"q": clock.epoch_ms() + 60_000}


async def test_a_limited_queue_with_nothing_left_is_on_the_agenda_for_its_retention_alone(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare(limit=RateLimit(1, per=60, burst=1))
    await store.enqueue(queue, jobs("a"))
    owner = Owner(store, queue)
    (a,) = await owner.claim()

    last = await owner.turn(1, [settle(a)])

    assert (last.reason, last.wait_ms) == ("empty", 0)
    assert await probe.read("q", "agenda") == {"q": int((await probe.scalars())["trim_at"])}


async def test_only_started_jobs_cost_tokens(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(limit=RateLimit(1, per=3600, burst=5))
    owner = Owner(store, queue)
    for _ in range(10):
        await owner.claim()
    await store.enqueue(queue, numbered(10))

    assert len(await owner.claim(2)) == 2
    assert len(await owner.claim(10)) == 3
    assert await owner.claim(10) == []


async def test_a_crash_gives_no_token_back(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(limit=RateLimit(1, per=3600, burst=2))
    await store.enqueue(queue, numbered(5))
    await Owner(store, queue, "dead").claim(2)
    clock.advance(31)

    assert (await Owner(store, queue).turn()).reason == "limited"


@pytest.mark.parametrize("back", [1, 60, 3599])
async def test_a_clock_that_steps_back_brings_no_burst(
    store: Store, declare: Declare, clock: FakeClock, back: int
) -> None:
    queue = declare(limit=RateLimit(2, per=1, burst=2))
    await store.enqueue(queue, numbered(10))
    owner = Owner(store, queue)
    assert len(await owner.claim()) == 2
    clock.step(-back)
    assert await owner.claim() == []
    clock.step(back)

    assert await owner.claim() == []


async def test_a_long_idle_time_refills_to_the_burst_and_no_further(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(limit=RateLimit(1000, per=1, burst=3))
    await store.enqueue(queue, numbered(20))
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim())
    clock.advance(40 * 86_400)

    assert len(await owner.claim()) == 3


async def test_a_new_rate_applies_from_now_and_keeps_the_level(
    store: Store, clock: FakeClock
) -> None:
    before, after = (App("x").queue("q", limit=limit) for limit in (
        RateLimit(10, per=1, burst=10), RateLimit(1, per=60, burst=20),
    ))  # fmt: skip
    await store.enqueue(before, numbered(40))
    assert len(await Owner(store, before).claim(6)) == 6
    owner = Owner(store, after, "o2")

    assert len(await owner.claim(20)) == 4
    clock.advance(59.9)
    assert await owner.claim() == []
    clock.advance(0.1)
    assert len(await owner.claim()) == 1


async def test_the_bucket_of_the_largest_limit_is_still_exact(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(limit=RateLimit(1_000_000, per=86_400, burst=1_000_000))
    await store.enqueue(queue, numbered(3))
    await Owner(store, queue).claim()

    assert (await probe.scalars())["level"] == str((1_000_000 - 3) * 86_400_000)


@pytest.mark.parametrize(("rate", "per", "burst"), [(7, 3, 2), (50, 1, 10), (1, 0.7, 2)])
async def test_many_small_turns_start_exactly_what_fits(
    store: Store,
    declare: Declare,
    clock: FakeClock,
    engine_kind: str,
    rate: int,
    per: float,
    burst: int,
) -> None:
    queue = declare(limit=RateLimit(rate, per=per, burst=burst))
    await store.enqueue(queue, numbered(1000))
    owner, elapsed = Owner(store, queue), 0
    started = len(await owner.claim(1000))
    for step in range(60 if engine_kind == "fakeredis" else 200):
        wait = 3 + step % 41
        clock.advance(wait / 1000)
        elapsed += wait
        started += len(await owner.claim(1000, exclusive=False))

    assert started == burst + elapsed * rate // round(per * 1000)


# The real lib/bucket.lua, turned a million times inside the server.
TURN = """
local rate, per, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local gaps, n = tonumber(ARGV[4]), tonumber(ARGV[5])
local bucket, now, taken, bad = { level = 0, at = 0, per = 0 }, 1800000000000, 0, 0
local first = now
for step = 0, n - 1 do
  refill(bucket, now, rate, per, burst)
  local all = tokens_in(bucket, rate, 0)
  bucket.level = bucket.level - all * per
  taken = taken + all
  if bucket.level < 0 or bucket.level % 1 ~= 0 or all > burst then bad = bad + 1 end
  if token_wait(bucket, rate) * rate + bucket.level < per then bad = bad + 1 end
  if step < n - 1 then now = now + 1 + step % gaps end
end
local function whole(value) return string.format("%.0f", value) end
return { whole(taken), whole(bucket.level), whole(now - first), bad }
"""


async def turn_bucket(probe: Probe, *args: int) -> list[int]:
    source = (FOLDER / "lib" / "bucket.lua").read_text("utf-8")
    return [int(value) for value in await probe.run("EVAL", source + TURN, 0, *args)]


async def test_a_million_operations_do_not_drift(probe: Probe, engine_kind: str) -> None:
    n = 10_000 if engine_kind == "fakeredis" else 1_000_000
    taken, level, elapsed, bad = await turn_bucket(probe, 7, 3000, 5, 97, n)

    assert taken * 3000 + level == 5 * 3000 + elapsed * 7
    assert bad == 0


@pytest.mark.parametrize("rate", [1, 999_983])
@pytest.mark.parametrize("per", [1, 86_400_000])
@pytest.mark.parametrize("burst", [1, 1_000_000])
async def test_every_number_stays_whole_at_the_edges_of_what_may_be_declared(
    probe: Probe, rate: int, per: int, burst: int
) -> None:
    taken, level, elapsed, bad = await turn_bucket(probe, rate, per, burst, 100_003, 5000)

    assert bad == 0
    assert 0 <= level <= burst * per
    assert taken * per <= burst * per + elapsed * rate


async def test_tokens_are_taken_ahead_of_their_time_and_each_has_its_own(
    store: Store, declare: Declare
) -> None:
    limit = RateLimit(1, per=2, burst=2)
    queue = declare(limit=limit)
    await store.enqueue(queue, numbered(20))

    first = await Owner(store, queue, "o1").turn(10, ahead_ms=5000)
    second = await Owner(store, queue, "o2").turn(10, ahead_ms=9000)

    waits = [
        [limit.seconds_until(n, reply.level) for n in range(1, len(reply.claims) + 1)]
        for reply in (first, second)
    ]
    assert waits == [[0, 0, 2, 4], [6, 8]]


async def test_a_suspect_takes_no_token_ahead_of_its_time(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(limit=RateLimit(1, per=200, burst=2))
    await store.enqueue(queue, jobs("a"))
    await make_exclusive(store, queue, clock)

    reply = await Owner(store, queue).turn(10, ahead_ms=900_000)

    assert (reply.claims, reply.reason) == ([], "limited")


@pytest.mark.parametrize(("given_back", "next_wait"), [("last", 4), ("first", 5)])
async def test_a_token_ahead_comes_back_only_where_no_later_one_was_taken(
    store: Store, declare: Declare, given_back: str, next_wait: int
) -> None:
    limit = RateLimit(1, per=1, burst=1)
    queue = declare(limit=limit)
    await store.enqueue(queue, numbered(20))
    await Owner(store, queue, "now").claim(1)
    owners = [Owner(store, queue, name) for name in ("first", "last")]
    replies = [await owner.turn(2, ahead_ms=60_000) for owner in owners]
    at = 0 if given_back == "first" else 1
    claims, level = replies[at].claims, replies[at].level
    unstarted = [
        Settle(c.lease, "release", 0, "", c.at_ms + round(limit.seconds_until(n, level) * 1000))
        for n, c in enumerate(claims, 1)
    ]

    await owners[at].turn(0, unstarted[-1:])

    reply = await Owner(store, queue, "next").turn(1, ahead_ms=60_000)
    assert limit.seconds_until(1, reply.level) == next_wait
