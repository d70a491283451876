"""Schedules of many queues: one that refuses its jobs holds up no other, and no number of them
keeps a tick from its jobs."""

from __future__ import annotations

import asyncio
import json
import logging

import httpx
import pytest

from shared.schedules.fire import QUEUES_AT_A_TIME
from shared.store import Store
from shared.store.schedules import is_schedule
from shared.testing import FakeClock, store_on
from tests.faults.conftest import Play
from tests.support.values import Number
from tests.support.world import World

START = 1_800_000_000_000
HOUR = 3600
WINDOW = 50
REFUSALS = {
    "wrong type": "ERR Error running script: WRONGTYPE Operation against a key",
    "record too large": "ERR max single record size exceeded. Limit: 104857600 bytes",
    "request too large": "ERR max request size exceeded. Limit: 1048576 bytes",
    "script": "ERR Error running script: @user_script:7: attempt to index a nil value",
}
OUTAGES = {
    "quota": "ERR max daily request limit exceeded",
    "throttled": "ERR rate limit exceeded",
    "token": "WRONGPASS invalid or missing auth token",
    "gateway": "",
}


class RefusingEnqueues(httpx.AsyncBaseTransport):
    """Answers each enqueue of one queue with an error, without its way to the store."""

    def __init__(self, inner: httpx.AsyncBaseTransport, queue: str, error: str) -> None:
        self._inner, self._queue, self._error = inner, queue, error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        words = body if isinstance(body, list) else []
        if f"{{test:{self._queue}}}:records" in words and any("~s" in str(w) for w in words):
            answer = {"error": self._error} if self._error else {}
            return httpx.Response(400 if self._error else 502, json=answer)
        return await self._inner.handle_async_request(request)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


def scheduled(world: World, number: int, *, every: float = HOUR) -> None:
    """So many queues, each with a schedule of its own."""
    for i in range(number):
        job_type = world.queue(f"q{i:04}").types["t"]
        world.app.schedule(f"s{i:04}", job_type, Number(n=i), every=every)


async def due(world: World) -> int:
    """How many schedules are due."""
    agenda, now = await world.store.agenda(), world.clock.epoch_ms()
    return sum(is_schedule(entry) and at <= now for entry, at in agenda.items())


def refusing(world: World, error: str) -> Store:
    return store_on(
        world.protocol,
        clock=world.clock,
        wrap=lambda inner: RefusingEnqueues(inner, "q0001", error),
    )


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_queue_that_refuses_its_jobs_holds_up_no_other(
    world: World, caplog: pytest.LogCaptureFixture, refusal: str
) -> None:
    scheduled(world, 3)
    await world.drain().tick()
    world.clock.advance(HOUR + 1)
    store = refusing(world, REFUSALS[refusal])

    with caplog.at_level(logging.ERROR):
        report = await world.drain(store).tick()

    assert report.error is None
    assert set(report.by_queue) == {"q0000", "q0002"}
    assert len(world.ran) == 2
    (line,) = (one for one in caplog.records if one.message == "schedule_error")
    assert (vars(line)["queue"], vars(line)["schedules"]) == ("q0001", ["world/s0001"])
    await store.close()

    assert await due(world) == 1
    await world.drain().tick()
    assert len(world.ran) == 3


async def test_a_queue_whose_records_are_of_a_wrong_type_holds_up_no_other(world: World) -> None:
    scheduled(world, 3)
    await world.drain().tick()
    records = world.probe.key("q0001", "records")
    await world.probe.run("SET", records, "not a hash")
    world.clock.advance(HOUR + 1)

    await world.drain().tick()

    assert (len(world.ran), await due(world)) == (2, 1)
    await world.probe.run("DEL", records)
    await world.drain().tick()
    assert (len(world.ran), await due(world)) == (3, 0)


@pytest.mark.parametrize("outage", OUTAGES)
async def test_a_store_that_is_down_ends_the_tick_and_each_occurrence_runs_once_in_the_next(
    world: World, outage: str
) -> None:
    scheduled(world, 3)
    await world.drain().tick()
    world.clock.advance(HOUR + 1)
    store = refusing(world, OUTAGES[outage])

    report = await world.drain(store).tick()

    await store.close()
    assert report.error
    assert await due(world) == 3
    await world.drain().tick()
    assert (len(world.ran), len(set(world.ran)), await due(world)) == (3, 3, 0)


@pytest.mark.parametrize(
    ("queues", "moves"),
    [(1, 1), (QUEUES_AT_A_TIME, 1), (QUEUES_AT_A_TIME + 1, 2), (3 * QUEUES_AT_A_TIME, 3)],
)
async def test_the_entries_of_sixteen_queues_move_with_one_command(
    world: World, queues: int, moves: int
) -> None:
    scheduled(world, queues)
    await world.drain().tick()
    world.clock.advance(HOUR)
    before = world.store.meter.snapshot()

    await world.drain().tick()

    used = world.store.meter.since(before).by_verb
    assert used["schedules"] == moves
    assert 9 * queues <= used["enqueue"] <= 10 * queues
    assert len(world.ran) == queues


@pytest.mark.parametrize(("latency", "ticks"), [(0.02, 1), (0.2, 1), (1.5, 2)])
def test_a_tick_fires_for_a_fifth_of_its_time_and_the_next_ones_go_on(
    play: Play[None], latency: float, ticks: int
) -> None:
    async def story(world: World) -> None:
        scheduled(world, 8 * QUEUES_AT_A_TIME)
        urgent = world.queue("urgent")
        await world.drain().tick()
        world.clock.advance(HOUR)
        left = []
        while await due(world):
            left.append(await due(world))
            await world.store.enqueue(urgent, [urgent.types["t"].job(Number())])
            drain = world.drain(world.client(latency=latency), budget=WINDOW)
            report = await asyncio.wait_for(drain.tick(), WINDOW)
            assert report.by_queue["urgent"]["claimed"] == 1
            assert report.error is None

        assert left == sorted(set(left), reverse=True)
        assert len(left) == ticks
        for _ in range(2):
            world.clock.advance(60)
            await world.drain(budget=WINDOW).tick()
        assert len(set(world.ran)) == 8 * QUEUES_AT_A_TIME + ticks

    play(story)


def test_those_that_wait_longest_come_first(play: Play[None]) -> None:
    """More schedules of every minute than a tick takes are declared before one of ten minutes."""

    async def story(world: World) -> None:
        scheduled(world, 2 * QUEUES_AT_A_TIME, every=60)
        last = world.queue("last")
        world.app.schedule("last", last.types["t"], Number(), every=600)
        await world.drain().tick()
        fired = -1
        for minute in range(20):
            await world.clock.sleep(
                START / 1000 + (minute + 1) * 60 - world.clock.epoch_ms() / 1000
            )
            report = await world.drain(world.client(latency=2.5), budget=30).tick()
            if "last" in report.by_queue:
                fired = minute + 1
                break

        assert 10 <= fired <= 13

    play(story)


async def test_a_drain_that_was_told_to_stop_fires_nothing(world: World) -> None:
    scheduled(world, 2)
    await world.drain().tick()
    world.clock.advance(HOUR)
    drain = world.drain()
    drain.stop()

    await drain.tick()

    assert await due(world) == 2
