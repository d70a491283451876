"""Schedules through ticks: each occurrence is one job, in whichever function, however often and
late it is fired."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import Retention
from shared.declare.queue import JobType
from shared.declare.schedule import Schedule
from shared.errors import ConfigurationError, Unreachable
from shared.schedules.control import pause, resume
from shared.schedules.fire import fire
from shared.store.schedules import is_schedule
from shared.testing import FakeClock, Fate
from tests.support.servers import Servers, empty_engine, kinds
from tests.support.values import Number
from tests.support.world import World

START = 1_800_000_000_000
"""A full minute of Unix time."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


def scheduled(world: World, **options: Any) -> Schedule:
    """A schedule of every minute, unless the options say otherwise."""
    queue = world.app.queues.get("q") or world.queue()
    job_type: JobType[Any] = queue.types["t"]
    times = {} if "cron" in options else {"every": 60}
    return world.app.schedule("s", job_type, Number(n=1), **{**times, **options})


def planned(world: World) -> list[int]:
    """Minutes after the start for which jobs have run, in order."""
    return [(int(job.rpartition("-")[2]) - START) // 60_000 for job in world.ran]


async def entries(world: World) -> list[str]:
    """The agenda's entries of schedules and of their pauses."""
    return sorted(filter(is_schedule, await world.store.agenda()))


async def minutes(world: World, number: int, **options: Any) -> None:
    """A tick a minute, a second after the full one."""
    for _ in range(number):
        await world.drain(**options).tick()
        world.clock.advance(60)


async def test_each_occurrence_runs_once_and_an_idle_tick_stays_one_command(world: World) -> None:
    scheduled(world)
    world.clock.advance(1)
    await minutes(world, 5)  # the first tick enters the schedule

    assert planned(world) == [1, 2, 3, 4]
    await world.drain().tick()
    before = world.store.meter.snapshot()
    await world.drain().tick()
    assert world.store.meter.since(before).by_verb == {"agenda": 1}


async def test_what_is_due_is_drained_in_the_same_tick_and_costs_a_job_and_one_command(
    world: World,
) -> None:
    scheduled(world)
    await world.drain().tick()
    world.clock.advance(60)
    before = world.store.meter.snapshot()

    await world.drain().tick()

    assert planned(world) == [1]
    used = world.store.meter.since(before).by_verb
    assert (used["enqueue"], used["schedules"]) == (10, 1)


async def test_without_schedules_a_tick_is_what_it_was(world: World) -> None:
    world.queue()
    await world.drain().tick()
    before = world.store.meter.snapshot()

    await world.drain().tick()

    assert world.store.meter.since(before).by_verb == {"agenda": 1}


@pytest.mark.parametrize("retention", [Retention(), Retention(count=0)])
async def test_twenty_callers_at_once_make_one_job(world: World, retention: Retention) -> None:
    world.queue(completed=retention)
    scheduled(world)
    await world.drain().tick()
    world.clock.advance(61)

    await asyncio.gather(*(world.drain(world.client()).tick() for _ in range(20)))
    await world.drain().tick()

    assert planned(world) == [1]


async def test_a_caller_with_an_old_agenda_runs_no_occurrence_again(world: World) -> None:
    """Its job has ended by then, and its record is gone."""
    world.queue(completed=Retention(count=0))
    schedule = scheduled(world)
    await world.drain().tick()
    world.clock.advance(61)
    agenda = await world.store.agenda()
    await world.drain().tick()

    await fire(world.store, [schedule], agenda, world.clock.epoch_ms())
    await world.drain().tick()

    assert planned(world) == [1]


@pytest.mark.parametrize(
    ("missed", "ran"), [("skip", []), ("latest", [180]), ("all", [*range(121, 181)])]
)
async def test_three_hours_without_a_tick(world: World, missed: str, ran: list[int]) -> None:
    """An hourly job whose next tick comes half an hour late."""
    every = 60 if missed == "all" else 3600
    scheduled(world, every=every, missed=missed, within=3600 if missed == "all" else None)
    await world.drain().tick()
    world.clock.advance(3 * 3600 + (30 * 60 if missed != "all" else 1))

    await world.drain().tick()

    assert sorted(planned(world)) == ran


async def test_more_occurrences_than_a_tick_takes_run_in_the_next_ones(world: World) -> None:
    scheduled(world, every=1, missed="all")
    await world.drain().tick()
    world.clock.advance(250)

    await minutes(world, 1)
    jobs = len(world.ran)
    await minutes(world, 6)

    assert jobs >= 100
    assert len(set(world.ran)) == len(world.ran) >= 250


async def test_a_payload_can_be_made_of_the_planned_instant(world: World) -> None:
    queue, seen = world.app.queue("made"), list[int]()

    @queue.job("m")
    async def handle(payload: Number) -> None:
        seen.append(payload.n)

    def of(at: datetime) -> Number:
        return Number(n=int(at.timestamp()))

    world.app.schedule("m", handle, of, every=60)
    await minutes(world, 3)

    assert seen == [START // 1000 + 60, START // 1000 + 120]


@pytest.mark.parametrize("error", [Unreachable("no store"), ConfigurationError("no secret")])
async def test_an_occurrence_stays_due_where_trying_again_may_help(
    world: World, error: Exception
) -> None:
    broken = True

    def of(_at: datetime) -> Number:
        if broken:
            raise error
        return Number()

    scheduled(world)
    queue = world.app.queues["q"]
    world.app.schedule("broken", queue.types["t"], of, every=60, missed="all")
    await minutes(world, 3)
    assert planned(world) == [1, 2]

    broken = False
    await minutes(world, 1)

    assert sorted(planned(world)) == [1, 1, 2, 2, 3, 3]


async def test_a_full_queue_keeps_the_occurrence_due(world: World) -> None:
    world.queue(max_jobs=1, seconds=0)
    scheduled(world)
    await world.drain().tick()
    await world.store.pause(world.app.queues["q"], paused=True)
    await world.enqueue(world.app.queues["q"], 1)
    world.clock.advance(61)
    await world.drain().tick()
    assert world.ran == []

    await world.store.pause(world.app.queues["q"], paused=False)
    for _ in range(3):
        await world.drain().tick()

    assert [one[:2] for one in world.ran] == ["j0", "~s"]


@pytest.mark.parametrize(("overlap", "ran"), [("skip", [1, 5]), ("allow", [1, 2, 3, 4, 5])])
async def test_overlap_skip_makes_none_while_one_has_not_ended(
    world: World, overlap: str, ran: list[int]
) -> None:
    scheduled(world, overlap=overlap)
    await world.drain().tick()
    await world.store.pause(world.app.queues["q"], paused=True)
    world.clock.advance(61)
    await minutes(world, 4)
    await world.store.pause(world.app.queues["q"], paused=False)

    await world.drain().run([world.app.queues["q"]])
    await minutes(world, 1)

    assert planned(world) == ran


async def test_jitter_delays_an_occurrence_alike_for_every_caller(world: World) -> None:
    scheduled(world, every=3600, jitter=600)
    await world.drain().tick()
    world.clock.advance(3600)
    await asyncio.gather(*(world.drain(world.client()).tick() for _ in range(5)))
    assert world.ran == []

    for _ in range(60):
        world.clock.advance(10)
        await world.drain().tick()

    assert planned(world) == [60]
    assert START + 3_600_000 < world.starts[0] <= START + 4_210_000


@pytest.mark.parametrize("times", [{"every": 300}, {"cron": "*/5 * * * *"}])
@pytest.mark.parametrize("offset", [0, 1, 30, 59])
async def test_the_longest_jitter_that_overlap_skip_allows_leaves_no_occurrence_out(
    world: World, times: dict[str, Any], offset: int
) -> None:
    schedule = scheduled(world, jitter=240, overlap="skip", **times)
    world.clock.advance(offset)

    await minutes(world, 126)

    assert schedule.jitter == 240
    assert planned(world)[:24] == [5 * n for n in range(1, 25)]


async def test_a_paused_schedule_has_no_occurrence_and_goes_on_with_the_next(world: World) -> None:
    schedule = scheduled(world)
    await minutes(world, 2)
    assert await pause(world.store, schedule) is False
    assert await pause(world.store, schedule) is True

    await minutes(world, 10)
    assert planned(world) == [1]
    assert await resume(world.store, schedule, world.clock.epoch_ms()) is True
    assert await resume(world.store, schedule, world.clock.epoch_ms()) is False
    await minutes(world, 2)

    assert planned(world) == [1, 13]


async def test_a_schedule_that_the_code_drops_is_gone_once_it_is_a_day_overdue(
    world: World,
) -> None:
    schedule = scheduled(world)
    await minutes(world, 2)
    world.app.schedules.clear()

    await minutes(world, 6)
    assert schedule.entry in await world.store.agenda()
    world.clock.advance(86_400)
    await minutes(world, 6)

    assert planned(world) == [1]
    assert await entries(world) == []


async def test_a_schedule_with_new_times_begins_anew_and_stays_paused(world: World) -> None:
    schedule = scheduled(world)
    await minutes(world, 2)
    await pause(world.store, schedule)
    world.app.schedules.clear()
    changed = scheduled(world, every=120)

    await minutes(world, 8)
    assert planned(world) == [1]
    assert await entries(world) == sorted([schedule.pause, schedule.entry, changed.entry])
    await resume(world.store, changed, world.clock.epoch_ms())
    await minutes(world, 4)

    assert planned(world) == [1, 12]
    assert await entries(world) == sorted([schedule.entry, changed.entry])


async def test_an_application_that_is_not_served_here_keeps_its_schedules(world: World) -> None:
    await world.store.schedules.add({"@other/s#12345678": START + 60_000})

    await minutes(world, 8)

    assert (await world.store.agenda())["@other/s#12345678"] == START + 60_000


FATES = st.lists(st.sampled_from(list(Fate)), max_size=8)


@settings(max_examples=25)
@given(fates=FATES, waits=st.lists(st.integers(0, 200), min_size=1, max_size=8))
def test_no_occurrence_is_lost_or_doubled_whatever_happens_to_requests(
    fates: list[Fate], waits: list[int], servers: Servers
) -> None:
    async def play() -> None:
        clock = FakeClock(START)
        async with (
            empty_engine(kinds()[0], servers) as engine,
            World(engine, clock) as world,
        ):
            scheduled(world, missed="all")
            await world.drain().tick()
            flaky = world.client(fates)
            for wait in waits:
                clock.advance(wait)
                await world.drain(flaky).tick()
            clock.advance(60)
            for _ in range(3):
                await world.drain().tick()
                clock.advance(1)
            last = (clock.epoch_ms() - START - 1000) // 60_000

            assert sorted(set(planned(world))) == list(range(1, last + 1))
            ended = await world.store.stats(world.app.queues["q"])
            assert ended.totals["done"] == last

    asyncio.run(play())
