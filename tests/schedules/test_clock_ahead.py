"""Schedules after the store's clock was ahead for a time: they go on with the next occurrence."""

from __future__ import annotations

from typing import Any

import pytest

from shared.schedules.control import pause, resume
from shared.schedules.occurrences import first_after
from shared.schedules.reconcile import NEAR_MS
from shared.store.schedules import failing_of, is_schedule
from shared.testing import FakeClock
from tests.support.values import Number
from tests.support.world import World

START = 1_800_000_000_000
DAY = 86_400
SWEEP = 301
TIMES: list[dict[str, Any]] = [
    {"every": 60},
    {"every": 3600},
    {"every": 7 * DAY},
    {"cron": "*/5 * * * *"},
    {"cron": "30 3 * * *", "timezone": "Europe/Berlin"},
    {"cron": "0 7 1 * *"},
]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


async def instant(world: World, entry: str) -> float:
    return (await world.store.agenda())[entry]


async def sweep(world: World) -> int:
    """A sweep, and the commands that it sends for schedules."""
    world.clock.advance(SWEEP)
    before = world.store.meter.snapshot()
    await world.drain().tick()
    return world.store.meter.since(before).by_verb.get("schedules", 0)


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("days", [0.1, 10, 400])
async def test_a_schedule_goes_on_with_its_next_occurrence(
    world: World, times: dict[str, Any], days: float
) -> None:
    schedule = world.app.schedule("s", world.queue().types["t"], Number(), **times)
    await world.drain().tick()
    world.clock.step(days * DAY)
    await world.drain().tick()
    world.clock.step(-days * DAY)
    was = await instant(world, schedule.entry)

    await sweep(world)

    now = world.clock.epoch_ms()
    latest = first_after(schedule, now + NEAR_MS)
    following = first_after(schedule, now)
    assert await instant(world, schedule.entry) == (following if was > latest else was) <= latest
    world.clock.advance((latest - now) / 1000 + 1)
    for _ in range(2):
        await world.drain().tick()
    assert len(set(world.ran)) == len(world.ran)
    assert [job for job in world.ran if job.endswith(f"-{latest}")]  # at its time, or ahead of it


@pytest.mark.parametrize("missed", ["latest", "all"])
async def test_an_occurrence_that_ran_ahead_of_its_time_does_not_run_again(
    world: World, missed: Any
) -> None:
    world.app.schedule("s", world.queue().types["t"], Number(), every=600, missed=missed)
    await world.drain().tick()
    world.clock.step(DAY / 4)
    for _ in range(5):
        world.clock.advance(600)
        await world.drain().tick()
    world.clock.step(-DAY / 4)

    for _ in range(60):
        await sweep(world)

    assert len(set(world.ran)) == len(world.ran) > 30


@pytest.mark.parametrize("times", TIMES)
async def test_a_sweep_moves_no_sound_entry_and_costs_nothing(
    world: World, times: dict[str, Any]
) -> None:
    schedule = world.app.schedule("s", world.queue().types["t"], Number(), **times)
    await world.drain().tick()

    for _ in range(20):
        before = await instant(world, schedule.entry)
        sent = await sweep(world)
        fired = before <= world.clock.epoch_ms()
        assert sent == fired
        assert fired or await instant(world, schedule.entry) == before


async def test_functions_whose_clocks_differ_do_not_move_an_entry_to_and_fro(world: World) -> None:
    schedule = world.app.schedule("s", world.queue().types["t"], Number(), every=DAY)
    planned = first_after(schedule, world.clock.epoch_ms())
    await world.drain().tick()
    world.clock.advance((planned - world.clock.epoch_ms()) / 1000)
    await world.drain().tick()  # it is ahead of the one that sweeps now
    world.clock.step(-30)

    assert await sweep(world) == 0
    assert await instant(world, schedule.entry) == planned + DAY * 1000


async def test_what_was_noted_of_failures_at_a_later_time_is_gone(world: World) -> None:
    schedule = world.app.schedule("s", world.queue().types["t"], Number(), every=60)
    await world.drain().tick()
    later = world.clock.epoch_ms() + 10 * DAY * 1000
    await world.store.schedules.move({schedule.entry: later})
    await world.store.schedules.mark({failing_of(schedule.entry): later})

    assert await sweep(world) == 2

    assert failing_of(schedule.entry) not in await world.store.agenda()


async def test_a_paused_schedule_stays_and_goes_on_when_it_is_resumed(world: World) -> None:
    schedule = world.app.schedule("s", world.queue().types["t"], Number(), every=60)
    await world.drain().tick()
    await world.store.schedules.move({schedule.entry: world.clock.epoch_ms() + 10 * DAY * 1000})
    await pause(world.store, schedule)
    assert await sweep(world) == 0

    await resume(world.store, schedule, world.clock.epoch_ms())
    await sweep(world)
    world.clock.advance(61)
    await world.drain().tick()

    assert len(world.ran) == 1
    assert sum(map(is_schedule, await world.store.agenda())) == 1
