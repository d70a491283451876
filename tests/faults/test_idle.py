"""What idles costs one command a tick, in every state in which nothing can run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from shared import KeyLimit, RateLimit
from shared.drain.drain import SWEEP_EVERY
from tests.faults.conftest import Play
from tests.support.values import Number
from tests.support.world import World

DAY = 86_400
TICK = 60.0
LONG = 800.0
"""Seconds of a job that runs elsewhere for the whole test."""
Tasks = list[asyncio.Task[object]]
State = Callable[[World, str, Tasks], Awaitable[None]]


async def empty(world: World, name: str, _elsewhere: Tasks) -> None:
    world.queue(name)


async def paused(world: World, name: str, _elsewhere: Tasks) -> None:
    queue = world.queue(name)
    await world.enqueue(queue, 3)
    await world.store.pause(queue, paused=True)


async def limited(world: World, name: str, _elsewhere: Tasks) -> None:
    await world.enqueue(world.queue(name, limit=RateLimit(1, per=DAY)), 3)


async def delayed(world: World, name: str, _elsewhere: Tasks) -> None:
    await world.enqueue(world.queue(name), 3, delay=30 * DAY)


async def full(world: World, name: str, elsewhere: Tasks) -> None:
    queue = world.queue(name, seconds=LONG, timeout=LONG, concurrency=1)
    await world.enqueue(queue, 3)
    await _run_elsewhere(world, name, elsewhere)


async def running_elsewhere(world: World, name: str, elsewhere: Tasks) -> None:
    queue = world.queue(name, seconds=LONG, timeout=LONG)
    await world.enqueue(queue, 3)
    await _run_elsewhere(world, name, elsewhere)


async def _run_elsewhere(world: World, name: str, elsewhere: Tasks) -> None:
    """A living function holds what the queue lets it have, and prolongs its leases."""
    drain = world.drain(world.client(), budget=2 * LONG)
    elsewhere.append(asyncio.create_task(drain.run([world.app.queues[name]])))
    await world.clock.sleep(1)


STATES: list[State] = [empty, paused, limited, delayed, full, running_elsewhere]


async def ticks(world: World, number: int) -> list[int]:
    """Commands of each of so many ticks of one process."""
    commands = []
    for _ in range(number):
        commands.append((await world.drain().tick()).commands)
        await world.clock.sleep(TICK)
    return commands


async def settle_in(world: World) -> None:
    """The first ticks run what can run and find out what can't."""
    await ticks(world, 3)


@pytest.mark.parametrize("state", STATES)
def test_an_idle_tick_is_one_command_in_every_state(play: Play[None], state: State) -> None:
    async def story(world: World) -> None:
        elsewhere: Tasks = []
        await state(world, "q", elsewhere)
        await settle_in(world)
        world.store.sweeps.at = world.clock.monotonic()

        assert await ticks(world, 4) == [1, 1, 1, 1]

        assert not any(task.done() for task in elsewhere)
        for task in elsewhere:
            task.cancel()

    play(story)


def test_an_idle_tick_of_thirty_queues_in_all_states_is_one_command(play: Play[None]) -> None:
    async def story(world: World) -> None:
        elsewhere: Tasks = []
        for i in range(30):
            await STATES[i % len(STATES)](world, f"q{i}", elsewhere)
        await settle_in(world)
        world.store.sweeps.at = world.clock.monotonic()

        assert await ticks(world, 4) == [1, 1, 1, 1]

        for task in elsewhere:
            task.cancel()

    play(story)


@pytest.mark.parametrize("state", STATES)
def test_a_sweep_of_what_idles_is_two_commands(play: Play[None], state: State) -> None:
    async def story(world: World) -> None:
        elsewhere: Tasks = []
        await state(world, "q", elsewhere)
        await settle_in(world)

        new_process = await world.drain(world.client()).tick()
        world.store.sweeps.at = world.clock.monotonic() - SWEEP_EVERY
        old_process = await world.drain().tick()

        assert (new_process.commands, old_process.commands) == (2, 2)
        for task in elsewhere:
            task.cancel()

    play(story)


async def backlogged(world: World, name: str, _elsewhere: Tasks) -> None:
    """Jobs wait for their key, and its next token is a day away."""
    queue = world.queue(name, per_key=KeyLimit(rate=RateLimit(1, per=DAY)))
    await world.enqueue(queue, 3, key="k")


@pytest.mark.parametrize("state", [*STATES, backlogged])
def test_each_tick_of_some_queues_is_two_commands_while_they_idle(
    play: Play[None], state: State
) -> None:
    """After the first few, also in a process that never makes a tick of all."""

    async def story(world: World) -> None:
        elsewhere: Tasks = []
        for i in range(5):
            await state(world, f"q{i}", elsewhere)
        await settle_in(world)
        process, queues = world.client(), [*world.app.queues.values()]

        commands = []
        for _ in range(6):
            commands.append((await world.drain(process).tick(queues[:4])).commands)
            await world.clock.sleep(TICK)

        assert commands[1:] == [2, 2, 2, 2, 2]
        for task in elsewhere:
            task.cancel()

    play(story)


async def _load_scripts(world: World) -> None:
    """A store that has every script: the first call of each costs a request more."""
    queue = world.app.queues["q0"]
    await world.store.enqueue(queue, [queue.types["t"].job(Number(), job_id="first")])
    await world.probe.run("DEL", world.probe.key("q0", "agenda"))
    await world.drain(world.client()).tick()
    world.ran.clear()


def test_a_sweep_of_four_hundred_queues_is_two_requests_beyond_the_read(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queues = [world.queue(f"q{i}") for i in range(400)]
        await _load_scripts(world)
        for queue in queues[::40]:
            await world.store.enqueue(queue, [queue.types["t"].job(Number(), job_id="a")])
        await world.probe.run("DEL", world.probe.key("q0", "agenda"))

        report = await world.drain(world.client(), patience=0).tick()

        assert len(world.ran) == 10
        turns = sum(consumer.turns for consumer in report.queues)
        assert report.requests - turns <= 3
        assert len(report.queues) == 10

    play(story)


def test_a_cold_start_costs_few_commands_where_one_of_many_queues_has_a_key_that_waits(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        limits = KeyLimit(rate=RateLimit(1, per=3600))
        queues = [world.queue(f"q{i}", per_key=limits) for i in range(200)]
        for name in ("a", "b"):
            job = queues[77].types["t"].job(Number(), job_id=name, key="user")
            await world.store.enqueue(queues[77], [job])
        await world.drain(world.client()).tick()
        world.clock.advance(60)
        await world.drain(world.client()).tick()  # the store knows the scripts from here on

        used = (client := world.client()).meter
        world.clock.advance(60)
        await world.drain(client).tick()

        assert world.ran == ["a"]
        assert (used.by_verb["agenda"], used.by_verb["sweep"]) == (1, 1)
        assert used.by_verb["find"] <= 2 + 8
        assert used.by_verb["turn"] <= 22

    play(story)
