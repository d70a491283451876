"""A deployment under way: functions of two versions tick the same store, in any order."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from shared import App, JobContext
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.jobs.ids import schedule_id
from shared.schedules.control import pause, resume
from shared.testing import FakeClock
from tests.support.servers import Servers, empty_engine, kinds
from tests.support.values import Number
from tests.support.world import World

START = 1_800_000_000_000
"""A full minute of Unix time."""
EVERY = {
    "old": {"kept": 60, "changed": 60, "dropped": 60},
    "new": {"kept": 60, "changed": 90, "added": 60},
}
"""Version -> the schedules that it declares, with the seconds between occurrences."""


class Step(NamedTuple):
    """After `seconds` an operator does something with a schedule, by a function of this version,
    which then ticks; `fresh`: it is a new process, so its tick is a sweep."""

    seconds: int
    version: str
    fresh: bool
    does: str
    name: str


STEPS = st.lists(
    st.builds(
        Step,
        st.integers(0, 100),
        st.sampled_from(["old", "new"]),
        st.booleans(),
        st.sampled_from(["nothing", "nothing", "pause", "resume"]),
        st.sampled_from(["kept", "changed", "dropped", "added"]),
    ),
    max_size=25,
)


class Version:
    """The functions of one version of the code."""

    def __init__(self, world: World, every: dict[str, int]) -> None:
        self.app, self._world = App("app"), world
        queue = self.app.queue("q")

        @queue.job("t")
        async def handle(payload: Number, job: JobContext) -> None:
            world.began(job)

        for name, seconds in every.items():
            self.app.schedule(name, handle, Number(), every=seconds, missed="all")
        self.store = world.client()

    async def tick(self, *, fresh: bool) -> None:
        if fresh:
            self.store = self._world.client()
        budget = Budget.of(60, clock=self._world.clock)
        await Drain(self.store, Registry([self.app]), budget).tick()

    async def operate(self, does: str, name: str) -> bool:
        """True if its code declares the schedule."""
        schedule = self.app.schedules.get(name)
        if schedule is None:
            return False
        if does == "pause":
            await pause(self.store, schedule)
        elif does == "resume":
            await resume(self.store, schedule, self._world.clock.epoch_ms())
        return True


class ExpectedOccurrences:
    """The occurrences that have to run: each that comes due while its schedule is not paused, at
    the times of each version that ticks."""

    def __init__(self) -> None:
        self.jobs: set[str] = set()
        self._paused: set[str] = set()
        self._done = {
            (name, every): START for some in EVERY.values() for name, every in some.items()
        }

    def operated(self, does: str, name: str, now: int) -> None:
        if does == "pause":
            self._paused.add(name)
        elif does == "resume" and name in self._paused:
            self._paused.discard(name)
            for entry in self._done:
                if entry[0] == name:
                    self._done[entry] = now

    def ticked(self, version: str, now: int) -> None:
        for name, every in EVERY[version].items():
            if name in self._paused:
                continue
            step, done = every * 1000, self._done[name, every]
            for planned in range((done // step + 1) * step, now + 1, step):
                self.jobs.add(schedule_id(f"app/{name}", planned))
            self._done[name, every] = now


@settings(max_examples=60)
@given(steps=STEPS)
def test_no_sweep_of_another_version_loses_an_occurrence_or_a_pause(
    steps: list[Step], servers: Servers
) -> None:
    async def play() -> None:
        clock = FakeClock(START)
        async with empty_engine(kinds()[0], servers) as engine, World(engine, clock) as world:
            versions = {name: Version(world, every) for name, every in EVERY.items()}
            expected = ExpectedOccurrences()
            for version in versions.values():
                await version.tick(fresh=True)
            for step in steps:
                clock.advance(step.seconds)
                if await versions[step.version].operate(step.does, step.name):
                    expected.operated(step.does, step.name, clock.epoch_ms())
                await versions[step.version].tick(fresh=step.fresh)
                expected.ticked(step.version, clock.epoch_ms())

            assert Counter(world.ran) == Counter(expected.jobs)

    asyncio.run(play())


async def test_a_rollback_brings_back_a_schedule_with_its_pause(
    world: World, clock: FakeClock
) -> None:
    old, new = Version(world, {"dropped": 60}), Version(world, {})
    await old.tick(fresh=True)
    await old.operate("pause", "dropped")
    for _ in range(50):
        clock.advance(3600)
        await new.tick(fresh=True)
    assert await world.store.agenda() == {"@app/dropped": 2**53 - 1}

    await old.tick(fresh=True)
    clock.advance(3600)
    await old.tick(fresh=True)

    assert world.ran == []
    await old.operate("resume", "dropped")
    clock.advance(60)
    await old.tick(fresh=False)
    assert len(world.ran) == 1


async def test_an_entry_that_another_version_may_declare_stays_for_a_day(
    world: World, clock: FakeClock
) -> None:
    old, new = Version(world, {"dropped": 60}), Version(world, {})
    await old.tick(fresh=True)
    clock.advance(60 + 86_400)
    await new.tick(fresh=True)
    assert len(await world.store.agenda()) == 1

    clock.advance(1)
    await new.tick(fresh=True)
    assert await world.store.agenda() == {}
