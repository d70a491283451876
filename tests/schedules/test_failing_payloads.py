"""Schedules whose payload function fails: what passes costs no occurrence, and what stays holds up
no later one for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from shared.alerts.evaluate import seconds_late
from shared.clock import utc
from shared.declare.schedule import Missed, Schedule
from shared.schedules.control import resume
from shared.schedules.due_jobs import PATIENCE_MS
from shared.testing import FakeClock
from tests.support.values import Number
from tests.support.world import World

START = 1_800_000_000_000
"""A full minute of Unix time."""
PATIENCE = PATIENCE_MS // 60_000
"""Ticks, of which one comes a minute."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


def scheduled(
    world: World, fails: Callable[[int, int], bool], *, error: BaseException, **options: Any
) -> Schedule:
    """A schedule whose payload function fails by the planned minute and the minute of the try."""
    queue = world.app.queues.get("q") or world.queue()

    def of(at: datetime) -> Number:
        if fails(minute(round(at.timestamp() * 1000)), minute(world.clock.epoch_ms())):
            raise error.with_traceback(None)
        return Number()

    return world.app.schedule("s", queue.types["t"], of, **options)


def minute(at: float) -> int:
    """Whole minutes since the start."""
    return int(at - START) // 60_000


def ran(world: World) -> list[tuple[int, int]]:
    """The planned minute and the minute of the start of each job, in order."""
    planned = [minute(int(job.rpartition("-")[2])) for job in world.ran]
    return list(zip(planned, map(minute, world.starts), strict=True))


async def minutes(world: World, number: int) -> None:
    """A tick a minute, a second after the full one."""
    for _ in range(number):
        world.clock.advance(60)
        await world.drain().tick()


async def begin(world: World) -> None:
    """The tick that enters the schedule."""
    world.clock.advance(1)
    await world.drain().tick()


def told(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    """The planned instants of such log lines."""
    return [vars(one)["planned"] for one in caplog.records if one.msg == event]


def instants(*planned: int) -> list[str]:
    return [utc(START + at * 60_000).isoformat() for at in planned]


ERRORS = [LookupError("away"), SystemExit(2), GeneratorExit(), asyncio.CancelledError()]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("missed", ["latest", "all"])
@pytest.mark.parametrize("away", [1, 3, PATIENCE - 1])
async def test_what_passes_costs_no_occurrence(
    world: World, error: BaseException, missed: Missed, away: int, caplog: pytest.LogCaptureFixture
) -> None:
    scheduled(world, lambda _, now: now < 60 + away, error=error, every=3600, missed=missed)
    await begin(world)

    await minutes(world, 125)

    assert ran(world) == [(60, 60 + away), (120, 120)]
    assert told(caplog, "schedule_payload_failed") == instants(60) * away
    assert told(caplog, "schedule_occurrence_skipped") == []


@pytest.mark.parametrize("missed", ["latest", "all"])
async def test_an_occurrence_that_goes_on_failing_is_skipped(
    world: World, missed: Missed, caplog: pytest.LogCaptureFixture
) -> None:
    scheduled(
        world, lambda planned, _: planned == 60, error=LookupError(), every=3600, missed=missed
    )
    await begin(world)

    await minutes(world, 245)

    assert ran(world) == [(120, 120), (180, 180), (240, 240)]
    assert told(caplog, "schedule_payload_failed") == instants(60) * PATIENCE
    assert told(caplog, "schedule_occurrence_skipped") == instants(60)


async def test_skip_tries_again_within_its_two_minutes(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    fails = {60: 61, 120: 10_000}
    scheduled(
        world, lambda planned, now: now < fails.get(planned, 0), error=LookupError(),
        every=3600, missed="skip",
    )  # fmt: skip
    await begin(world)

    await minutes(world, 185)

    assert ran(world) == [(60, 61), (180, 180)]
    assert told(caplog, "schedule_occurrence_skipped") == instants(120)


@pytest.mark.parametrize("missed", ["latest", "all"])
async def test_within_ends_the_tries(
    world: World, missed: Missed, caplog: pytest.LogCaptureFixture
) -> None:
    scheduled(
        world, lambda planned, _: planned == 60, error=LookupError(),
        every=3600, missed=missed, within=150,
    )  # fmt: skip
    await begin(world)

    await minutes(world, 125)

    assert ran(world) == [(120, 120)]
    assert told(caplog, "schedule_payload_failed") == instants(60) * 3
    assert told(caplog, "schedule_occurrence_skipped") == instants(60)


async def test_the_next_occurrence_takes_the_place_of_a_failed_one(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    scheduled(world, lambda planned, _: planned == 2, error=LookupError(), every=60)
    await begin(world)

    await minutes(world, 5)

    assert ran(world) == [(1, 1), (3, 3), (4, 4), (5, 5)]
    assert told(caplog, "schedule_occurrence_skipped") == instants(2)


async def test_with_all_later_ones_wait_for_a_failed_one_and_none_is_lost(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    scheduled(world, lambda _, now: 2 <= now < 6, error=LookupError(), every=60, missed="all")
    await begin(world)

    await minutes(world, 7)

    assert sorted(ran(world)) == [(1, 1), *((planned, 6) for planned in range(2, 7)), (7, 7)]
    assert told(caplog, "schedule_payload_failed") == instants(2) * 4
    assert told(caplog, "schedule_occurrence_skipped") == []


async def test_occurrences_that_can_not_be_stored_are_skipped_among_others(world: World) -> None:
    """One tick makes them all: neither the first nor the last that is refused changes the rest."""

    def of(at: datetime) -> Number:
        number = minute(round(at.timestamp() * 1000))
        n: Any = "no number" if number in {1, 4, 9} else number
        return Number.model_construct(n=n)

    queue = world.queue()
    world.app.schedule("some", queue.types["t"], of, every=60, missed="all")
    await begin(world)
    world.clock.advance(8 * 60)

    await minutes(world, 1 + PATIENCE)
    assert sorted(planned for planned, _ in ran(world)) == [
        *(2, 3, 5, 6, 7, 8),
        *range(10, PATIENCE + 10),
    ]


@pytest.mark.parametrize("missed", ["latest", "skip", "all"])
async def test_a_function_that_always_fails_costs_each_occurrence_one_line(
    world: World, missed: Missed, caplog: pytest.LogCaptureFixture
) -> None:
    """And what waits for it does not grow."""
    scheduled(world, lambda *_: True, error=LookupError(), every=60, missed=missed)
    await begin(world)

    await minutes(world, 5 * PATIENCE)

    skipped = told(caplog, "schedule_occurrence_skipped")
    last = len(skipped)
    assert ran(world) == []
    assert skipped == instants(*range(1, last + 1))
    assert last >= 4 * PATIENCE


async def test_a_failing_schedule_holds_up_no_other(world: World) -> None:
    scheduled(world, lambda *_: True, error=LookupError(), every=60, missed="all")
    queue = world.app.queues["q"]
    world.app.schedule("other", queue.types["t"], Number(), every=120)
    await begin(world)

    await minutes(world, 6)

    assert ran(world) == [(2, 2), (4, 4), (6, 6)]


async def test_a_tick_after_hours_tries_again_too(world: World) -> None:
    """The database comes back after the ticks."""
    scheduled(world, lambda _, now: now < 203, error=LookupError(), every=3600)
    await begin(world)
    world.clock.advance(199 * 60)

    await minutes(world, 6)

    assert ran(world) == [(180, 203)]


async def test_a_tick_that_fails_costs_one_command_at_first_and_none_again(world: World) -> None:
    scheduled(world, lambda _, now: now < 4, error=LookupError(), every=60, missed="all")
    await begin(world)
    prices = []
    for _ in range(3):
        before = world.store.meter.snapshot()
        await minutes(world, 1)
        prices.append(world.store.meter.since(before).by_verb)

    assert prices == [{"agenda": 1, "schedules": 1}, {"agenda": 1}, {"agenda": 1}]


async def test_what_is_tried_again_is_no_missed_tick(world: World) -> None:
    scheduled(world, lambda *_: True, error=LookupError(), every=3600)
    await begin(world)
    await minutes(world, 59 + PATIENCE)
    agenda, now = await world.store.agenda(), world.clock.epoch_ms()

    assert seconds_late([], agenda, now) == 0
    assert seconds_late([], agenda, now + 3 * PATIENCE_MS) > 60  # no tick comes any more


async def test_what_is_noted_of_failures_is_gone_after_a_day(world: World) -> None:
    scheduled(world, lambda planned, _: planned == 60, error=LookupError(), every=3600)
    await begin(world)
    await minutes(world, 62)
    assert [one for one in await world.store.agenda() if "!" in one]

    world.clock.advance(86_400)
    await minutes(world, 6)

    assert not [one for one in await world.store.agenda() if "!" in one]


async def test_what_an_operator_resumes_begins_with_the_next_occurrence(world: World) -> None:
    schedule = scheduled(world, lambda _, now: now < 62, error=LookupError(), every=3600)
    await begin(world)
    await minutes(world, 61)
    await world.store.schedules.add({schedule.pause: 2**52})
    await resume(world.store, schedule, world.clock.epoch_ms())

    await minutes(world, 60)

    assert ran(world) == [(120, 120)]
