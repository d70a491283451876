"""What a queue keeps goes in time and in size, also when nothing else happens. A turn comes for it,
and no tick in between costs more than the read of the agenda."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from shared import Queue, Retention
from shared.jobs.job import Guard, Job
from shared.store import keys
from shared.store.repair import repair
from tests.support.turns import Owner, jobs
from tests.support.values import Number
from tests.support.world import World

DAY = 86_400.0
AGE = 10 * DAY
MIB = 2**20
PAYLOAD = 250_000
Keep = Callable[[World, Queue], Awaitable[None]]


async def _cancelled_while_waiting(world: World, queue: Queue) -> None:
    for job_id in await world.enqueue(queue, 5):
        await world.store.cancel(queue, job_id)


async def _cancelled_long_before_due(world: World, queue: Queue) -> None:
    for job_id in await world.enqueue(queue, 5, delay=300 * DAY):
        await world.store.cancel(queue, job_id)


async def _cancelled_while_parked(world: World, queue: Queue) -> None:
    await world.enqueue(queue, 3)
    owner = Owner(world.store, queue)
    await owner.finish(*await owner.claim(), kind="park", delay_ms=900_000)
    for n in range(3):
        await world.store.cancel(queue, f"j{n:04}")


async def _cancelled_by_their_function(world: World, queue: Queue) -> None:
    await world.enqueue(queue, 3)
    owner = Owner(world.store, queue)
    await owner.finish(*await owner.claim(), kind="cancelled")


async def _cancelled_while_paused(world: World, queue: Queue) -> None:
    await world.store.pause(queue, paused=True)
    await world.enqueue(queue, 5)
    await world.drain().tick()
    for n in range(4):
        await world.store.cancel(queue, f"j{n:04}")
    await world.store.purge(queue)


async def _completed_and_paused(world: World, queue: Queue) -> None:
    await world.enqueue(queue, 5)
    await world.drain().tick()
    await world.store.pause(queue, paused=True)


async def _names(world: World, queue: Queue) -> None:
    batch = [
        Job("t", '{"n":1}', id=f"g{n}", idempotency=Guard(f"key:{n}", 3_600_000, "print"))
        for n in range(1200)
    ]
    await world.store.enqueue(queue, batch)
    await world.drain().tick()


async def _names_of_one_job(world: World, queue: Queue) -> None:
    await world.enqueue(queue, 1)
    job = Job("t", '{"n":1}', id="j0000", idempotency=Guard("key:x", 3_600_000, "print"))
    await world.store.enqueue(queue, [job])
    await world.drain().tick()


KEPT: list[Keep] = [
    _cancelled_while_waiting,
    _cancelled_long_before_due,
    _cancelled_while_parked,
    _cancelled_by_their_function,
    _cancelled_while_paused,
    _completed_and_paused,
    _names,
    _names_of_one_job,
]


@pytest.mark.parametrize("keep", KEPT)
async def test_what_is_kept_goes_by_age_though_nothing_else_happens(
    world: World, keep: Keep
) -> None:
    queue = world.queue("q", completed=Retention(age=AGE))
    await keep(world, queue)
    commands = []
    for _ in range(14):
        world.clock.advance(DAY)
        for _ in range(4):
            world.store.sweeps.at = world.clock.monotonic()
            commands.append((await world.drain().tick()).commands)
            world.clock.advance(60)

    left = await world.probe.snapshot()
    assert not {"records", "completed", "cancelled", "dedup"} & left.keys()
    assert commands[-4:] == [1, 1, 1, 1]
    assert commands.count(1) >= len(commands) / 2


@pytest.mark.parametrize("keep", KEPT)
async def test_what_is_kept_stays_until_its_age(world: World, keep: Keep) -> None:
    queue = world.queue("q", completed=Retention(age=AGE))
    await keep(world, queue)
    before = (await world.probe.snapshot())["records"].keys()
    for _ in range(9):
        world.clock.advance(DAY)
        await world.drain().tick()

    assert (await world.probe.snapshot())["records"].keys() == before


def _large(n: int, size: int = PAYLOAD) -> Job:
    return Job("t", f'{{"n":{n},"x":"{"y" * size}"}}', id=f"big{n:05}")


async def _entry_bytes(world: World) -> int:
    key = keys.part("test", "q", "records")
    return int(await world.probe.run("MEMORY", "USAGE", key, "SAMPLES", "0"))


async def live_with_large_payloads(world: World, ticks: int, jobs_a_tick: int) -> int:
    """So many ticks, an hour apart, on a default queue; the largest that its entry was (bytes)."""
    queue = world.queue("q")
    largest = made = 0
    for _ in range(ticks):
        for _ in range(jobs_a_tick):
            made += 1
            assert (await world.store.enqueue(queue, [_large(made)]))[0].stored
        await world.drain().tick()
        largest = max(largest, await _entry_bytes(world))
        world.clock.advance(3600)
    assert len(world.ran) == made
    return largest


@pytest.mark.best_server  # a week of megabytes
async def test_large_payloads_through_a_default_queue_never_fill_its_entry(world: World) -> None:
    largest = await live_with_large_payloads(world, ticks=24, jobs_a_tick=12)

    queue = world.app.queues["q"]
    assert largest < 64 * MIB
    assert largest < queue.max_bytes / 2 + 14 * PAYLOAD  # half of the bound, and what waits
    assert (await repair(world.store, queue, dry_run=True)).is_sound


async def test_completed_jobs_hold_half_of_the_bytes_at_most_and_the_youngest_stay(
    world: World,
) -> None:
    queue = world.queue("q", max_bytes=20_000)
    for n in range(40):
        await world.store.enqueue(queue, [_large(n, 100 + 37 * n % 900)])
        await world.drain().tick()
        world.clock.advance(1)
        stats = await world.store.stats(queue)
        assert stats.bytes <= 10_000 + 1_000  # as many go as hold the excess on average
    kept = await world.probe.ids("q", "completed")
    scalars = await world.probe.scalars()
    assert kept == [f"big{n:05}" for n in range(40 - len(kept), 40)]
    assert (int(scalars["completed"]), int(scalars["completed_bytes"])) == (len(kept), stats.bytes)


@pytest.mark.one_shard  # a shard holds a part of 20,000 bytes, less than this job
async def test_the_youngest_completed_job_stays_however_large_it_is(world: World) -> None:
    queue = world.queue("q", max_bytes=20_000)
    await world.store.enqueue(queue, [_large(1, 15_000)])
    await world.drain().tick()

    assert (await world.store.inspect(queue, "big00001")).state == "completed"


async def test_a_small_queue_pays_nothing_for_the_bound_on_bytes(world: World) -> None:
    prices = []
    for name, bounds in (("q", {}), ("p", {"max_bytes": 2**40})):
        queue = world.queue(name, **bounds)
        await world.store.enqueue(queue, jobs("warm"))
        owner = Owner(world.store, queue)
        claims = await owner.claim()
        before = world.store.meter.snapshot()
        await owner.finish(*claims)
        prices.append(world.store.meter.since(before).commands)

    assert prices[0] == prices[1]


@pytest.mark.one_shard  # room is made in the shard that lacks it only
@pytest.mark.parametrize("way", ["delete", "room", "retention"])
async def test_the_bytes_of_completed_jobs_are_counted_down_however_they_go(
    world: World, way: str
) -> None:
    queue = world.queue("q", max_jobs=6, completed=Retention(age=AGE))
    await world.enqueue(queue, 6)
    await world.drain().tick()
    assert int((await world.probe.scalars())["completed_bytes"]) > 0
    if way == "delete":
        await world.store.delete(queue, [f"j{n:04}" for n in range(6)])
    elif way == "room":
        await queue.types["t"].enqueue(Number(n=9), job_id="new")
    else:
        world.clock.advance(11.1 * DAY)
        await world.drain().tick()

    assert (await world.probe.scalars())["completed_bytes"] == "0"
