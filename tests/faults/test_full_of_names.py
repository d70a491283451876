"""A queue that is full of names goes on: its follow-ups and schedules run, and with its jobs' ends
their names go."""

from __future__ import annotations

import pytest

from shared import JobContext
from tests.faults.conftest import Play
from tests.support.values import Number
from tests.support.world import World

JOBS = 20
FOREIGN = {66: 8_400, 75: 9_600}
"""MiB of names that others hold, and how many of 8 KiB these are."""


async def _fill(world: World, count: int) -> None:
    key, guard = world.probe.key("q", "dedup"), "0 - other w"
    for first in range(0, count, 400):
        names = [f"dedup:{'n' * 2**13}{n}" for n in range(first, min(first + 400, count))]
        await world.probe.run("HSET", key, *(word for name in names for word in (name, guard)))


@pytest.mark.parametrize("mib", FOREIGN)
def test_jobs_that_hold_names_end_with_their_follow_ups(
    play: Play[None], mib: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(world: World) -> None:
        queue, followed = world.queue(), list[str]()

        @queue.job("after")
        async def follow(payload: Number, job: JobContext) -> None:
            followed.append(job.id)

        after = queue.types["after"].job(Number())
        made = [
            queue.types["t"].job(Number(), job_id=f"j{n}", dedup=f"d{n}", then=[after])
            for n in range(JOBS)
        ]
        assert all(answer.stored for answer in await world.store.enqueue(queue, made))
        await _fill(world, FOREIGN[mib])

        for _ in range(2):
            await world.drain(budget=20).tick()

        stats = await world.store.stats(queue)
        assert (stats.sizes["completed"], stats.jobs) == (2 * JOBS, 2 * JOBS)
        assert len(set(followed)) == len(followed) == JOBS
        names = await world.probe.run("HKEYS", world.probe.key("q", "dedup"))
        assert not [name for name in names if name.startswith(b"dedup:d")]
        assert not [one for one in caplog.records if one.message == "follow_ups_not_stored"]

    play(story)


@pytest.mark.parametrize("mib", FOREIGN)
@pytest.mark.parametrize("overlap", ["allow", "skip"])
def test_schedules_run_once_an_occurrence(
    play: Play[None], mib: int, overlap: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(world: World) -> None:
        queue = world.queue()
        world.app.schedule("s", queue.types["t"], Number(), every=60, overlap=overlap)  # type: ignore[arg-type]
        await world.drain(budget=20).tick()
        await _fill(world, FOREIGN[mib])

        for _ in range(10):
            await world.clock.sleep(60)
            await world.drain(budget=20).tick()

        assert len(set(world.ran)) == len(world.ran) >= 9
        assert not [one for one in caplog.records if one.message == "schedule_queue_full"]

    play(story)
