"""Ticks: nothing idles, and a sweep corrects a wrong agenda."""

from __future__ import annotations

import pytest

from shared import Queue
from shared.testing import FakeClock, Fate
from tests.faults.conftest import Play
from tests.support.turns import Owner
from tests.support.values import Number
from tests.support.world import World


class SkewedClock:
    """A machine's clock that goes right and shows the wrong time."""

    def __init__(self, clock: FakeClock, seconds: int) -> None:
        self._clock, self._ms = clock, seconds * 1000
        self.monotonic, self.sleep = clock.monotonic, clock.sleep

    def epoch_ms(self) -> int:
        return self._clock.epoch_ms() + self._ms


@pytest.mark.parametrize("queues", [1, 20])
@pytest.mark.parametrize("minute", range(6))
def test_an_idle_tick_is_one_command_whatever_the_number_of_queues(
    play: Play[None], queues: int, minute: int
) -> None:
    async def story(world: World) -> None:
        for i in range(queues):
            world.queue(f"q{i}")
        world.clock.advance(60 * minute)
        assert (await world.drain().tick()).commands <= 2  # a process's first tick is a sweep
        for _ in range(3):
            before, served = world.store.meter.snapshot(), world.protocol.meter.commands
            report = await world.drain().tick()
            used = world.store.meter.since(before)
            assert (report.stop, report.commands, report.requests) == ("idle", 1, 1)
            assert (used.commands, world.protocol.meter.commands - served) == (1, 1)
            world.clock.advance(60)

    play(story)


def test_a_tick_with_a_job_delayed_to_a_later_day_is_one_command_too(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.queue()
        world.clock.advance(1000)
        await world.enqueue(queue, 1, delay=86_400)
        await world.drain().tick()  # sweeps
        world.clock.advance(60)

        assert (await world.drain().tick()).commands == 1

    play(story)


@pytest.mark.parametrize("rhythm", [60, 300, 600, 3600])
@pytest.mark.parametrize("offset", [0, 60, 180])
def test_a_lost_agenda_heals_for_any_rhythm_of_ticks(
    play: Play[None], rhythm: int, offset: int
) -> None:
    async def story(world: World) -> None:
        queue = world.queue()
        world.clock.advance(offset)
        await world.drain().tick()
        ids = await world.enqueue(queue, 3)
        await world.probe.run("DEL", world.probe.key("q", "agenda"))
        for _ in range(max(1, 300 // rhythm)):
            world.clock.advance(rhythm)
            await world.drain().tick()

        assert world.ran == ids

    play(story)


def test_a_delayed_job_without_an_agenda_entry_runs_after_the_next_sweep(play: Play[None]) -> None:
    async def story(world: World) -> None:
        ids = await world.enqueue(world.queue(), 1, delay=30)
        await world.probe.run("DEL", world.probe.key("q", "agenda"))
        world.clock.advance(30)

        await world.drain().tick()

        assert world.ran == ids

    play(story)


@pytest.mark.parametrize("other", ["idle", "delayed", "waiting"])
def test_a_sweep_finds_a_foreign_record_whatever_else_its_queue_has(
    play: Play[None], other: str
) -> None:
    async def story(world: World) -> None:
        queue = world.queue()
        await world.drain().tick()
        if other == "delayed":
            await world.enqueue(queue, 1, delay=3 * 86_400)
        inbox = world.probe.key("q", "inbox")
        await world.probe.run("RPUSH", inbox, '{"type":"t","payload":{"n":7}}')
        for _ in range(6):
            world.clock.advance(60)
            if other == "waiting":
                await world.store.enqueue(queue, [queue.types["t"].job(Number())])
            await world.drain().tick()

        assert sum(job_id.startswith("~") for job_id in world.ran) == 1

    play(story)


@pytest.mark.parametrize("letters", [0, 7])
def test_one_tick_takes_the_whole_inbox_of_a_full_queue(play: Play[None], letters: int) -> None:
    """Completed jobs give way to its records. Dead letters do not, and once the queue has no other
    jobs, records that are left cost an idle tick nothing."""

    async def story(world: World) -> None:
        queue = world.queue(max_jobs=10)
        await _bury(world, queue, letters)
        await _push_records(world, 60)

        report = await world.drain().tick()

        assert (report.stop, len(world.ran)) == ("empty", 60)
        await _bury(world, queue, 10 - letters)
        await _push_records(world, 1)
        assert (await world.drain().tick()).stop == "empty"
        for _ in range(3):
            report = await world.drain().tick()
            assert (report.stop, report.commands, report.requests) == ("idle", 1, 1)
            world.clock.advance(60)
        assert (await world.store.stats(queue)).sizes["inbox"] == 1

    play(story)


async def _push_records(world: World, n: int) -> None:
    records = [f'{{"type":"t","payload":{{"n":{i}}}}}' for i in range(n)]
    await world.probe.run("RPUSH", world.probe.key("q", "inbox"), *records)
    await world.probe.run("ZADD", world.probe.key("q", "agenda"), 0, "q")


async def _bury(world: World, queue: Queue, n: int) -> None:
    """Add dead letters."""
    owner = Owner(world.store, queue, f"buries {n}")
    await world.store.enqueue(queue, [queue.types["t"].job(Number()) for _ in range(n)])
    await owner.finish(*await owner.claim(n), kind="dead")


def test_an_agenda_entry_that_says_too_late_heals(play: Play[None]) -> None:
    async def story(world: World) -> None:
        ids = await world.enqueue(world.queue(), 2)
        later = world.clock.epoch_ms() + 86_400_000
        await world.probe.run("ZADD", world.probe.key("q", "agenda"), later, "q")

        await world.drain().tick()

        assert world.ran == ids

    play(story)


@pytest.mark.parametrize("skew", [-86_400, -60, 60, 86_400])
def test_a_function_whose_clock_is_wrong_still_finds_what_is_due(
    play: Play[None], skew: int
) -> None:
    async def story(world: World) -> None:
        (job,) = await world.enqueue(world.queue(), 1, delay=30)
        wrong = SkewedClock(world.clock, skew)
        client = world.client(machine=wrong)
        for expected in ([], [job]):
            await world.drain(client, clock=wrong, sweep_every=0, patience=0).tick()
            assert world.ran == expected
            world.clock.advance(30)

    play(story)


def test_an_unreachable_store_is_a_quiet_report(play: Play[None]) -> None:
    async def story(world: World) -> None:
        world.queue()
        report = await world.drain(world.client([Fate.LOST_BEFORE] * 1000)).tick()

        assert report.stop == "store"
        assert "can't reach the store" in (report.error or "")
        assert report.seconds_used < 6

    play(story)
