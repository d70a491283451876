"""Queues that had work while the store's clock was ahead, after it went back: the next sweeps find
them, though their agenda entries are a day off. What no clock has spoiled costs next to nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from shared import KeyLimit, Queue, RateLimit
from tests.faults.conftest import Play
from tests.support.turns import Owner, jobs
from tests.support.world import World

HOUR, DAY = 3600, 86_400
TICK = 60.0
SWEEP = 301.0
Spoil = Callable[[World], Awaitable[None]]


async def limited(world: World) -> None:
    await world.enqueue(world.queue(limit=RateLimit(1, per=600)), 2)
    await world.drain(budget=20).tick()


async def keyed(world: World) -> None:
    queue = world.queue(per_key=KeyLimit(rate=RateLimit(1, per=600, burst=1)))
    await world.enqueue(queue, 2, key="k")
    await world.drain(budget=20).tick()


async def full(world: World) -> None:
    queue = world.queue(concurrency=1)
    await world.enqueue(queue, 2)
    await Owner(world.store, queue, "dead").claim(1)
    await world.drain(budget=20).tick()


async def leased(world: World) -> None:
    queue = world.queue()
    await world.enqueue(queue, 2)
    owner = Owner(world.store, queue, "dead")
    await owner.claim(2)
    await owner.turn(0)


async def parked(world: World) -> None:
    queue = world.queue()
    await world.enqueue(queue, 2)
    types = dict(queue.types)
    queue.types.clear()  # an older deployment does not know them
    await world.drain(budget=20).tick()
    queue.types.update(types)


SPOILS: list[Spoil] = [limited, keyed, full, leased, parked]


async def _tick_for(world: World, seconds: float) -> None:
    end = world.clock.monotonic() + seconds
    while world.clock.monotonic() < end:
        await world.drain(budget=20).tick()
        await world.clock.sleep(TICK)


@pytest.mark.parametrize("ahead", [2 * HOUR + 1, DAY, 400 * DAY])
@pytest.mark.parametrize("spoil", SPOILS)
def test_a_process_that_saw_the_clock_go_back_looks_in_its_next_sweep(
    play: Play[None], spoil: Spoil, ahead: int
) -> None:
    async def story(world: World) -> None:
        world.clock.step(ahead)
        await spoil(world)
        await world.drain(budget=20).tick()
        world.clock.step(-ahead)

        await _tick_for(world, 3 * SWEEP)

        assert sorted(set(world.ran)) == ["j0000", "j0001"]

    play(story)


async def _live_a_day_ahead(world: World, queues: list[Queue]) -> None:
    """Each queue gets two jobs, and a function that dies with one, before the clock goes back."""
    await world.drain().tick()
    world.clock.step(DAY)
    for queue in queues:
        await world.store.enqueue(queue, jobs(f"a-{queue.name}", f"b-{queue.name}"))
        await Owner(world.store, queue, "dead").claim(1)
    await world.drain().tick()
    world.clock.step(-DAY)


def test_a_sweep_of_some_queues_leaves_the_others_to_the_next(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queues = [world.queue(name, concurrency=1) for name in ("q1", "q2")]
        await _live_a_day_ahead(world, queues)

        await world.drain(budget=20).tick(queues[:1])
        await _tick_for(world, 3 * SWEEP)

        assert len(set(world.ran)) == 4

    play(story)


def test_more_leases_than_one_turn_brings_back(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.queue()
        await world.drain().tick()
        world.clock.step(DAY)
        for page in range(5):
            await world.store.enqueue(queue, jobs(*(f"p{page}-{i}" for i in range(500))))
            assert len(await Owner(world.store, queue, f"dead{page}").claim(500)) == 500
        await world.drain().tick()
        world.clock.step(-DAY)

        await _tick_for(world, 2 * SWEEP)

        leases = await world.probe.read("q", "active")
        assert all(end < world.clock.epoch_ms() + HOUR * 1000 for end in leases.values())
        assert (await world.store.stats(queue)).totals["crashed"] == 2500

    play(story)


@pytest.mark.parametrize("ahead", [2 * HOUR + 1, DAY, 400 * DAY])
def test_a_dead_letter_of_an_idle_queue_is_brought_back(play: Play[None], ahead: int) -> None:
    """Its queue has no entry on the agenda: nothing waits there."""

    async def story(world: World) -> None:
        queue = world.queue()
        await world.drain().tick()
        world.clock.step(ahead)
        await world.enqueue(queue, 1)
        owner = Owner(world.store, queue)
        await owner.finish(*await owner.claim(1), kind="dead")
        await owner.turn()
        await world.drain().tick()
        world.clock.step(-ahead)

        await _tick_for(world, 2 * SWEEP)

        (died,) = (await world.probe.read("q", "dead")).values()
        assert died <= world.clock.epoch_ms()

    play(story)


def test_many_queues_are_found_some_a_sweep(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queues = [world.queue(f"q{i:03}", concurrency=1) for i in range(120)]
        await _live_a_day_ahead(world, queues)

        await _tick_for(world, 8 * SWEEP)

        assert len(set(world.ran)) == 240

    play(story)


def test_a_distant_entry_costs_nothing_where_the_clock_went_on(play: Play[None]) -> None:
    async def story(world: World) -> None:
        await world.enqueue(world.queue(), 3, delay=30 * DAY)
        await world.drain().tick()
        commands = 0
        for _ in range(48):
            await world.clock.sleep(SWEEP)
            commands += (await world.drain().tick()).commands

        assert commands == 2 * 48

    play(story)


@pytest.mark.parametrize("waiting", [0, 3])
def test_a_clock_that_goes_back_costs_a_look_where_nothing_was_spoiled(
    play: Play[None], waiting: int
) -> None:
    async def story(world: World) -> None:
        queue = world.queue()
        if waiting:
            await world.enqueue(queue, waiting, delay=30 * DAY)
        await world.drain().tick()
        world.clock.step(DAY)
        world.store.sweeps.note(world.clock.epoch_ms())
        world.clock.step(-DAY)
        commands = []
        for _ in range(4):
            await world.clock.sleep(SWEEP)
            commands.append((await world.drain().tick()).commands)

        assert commands == [3, 2, 2, 2]

    play(story)
