"""One timer for all jobs: each is cancelled in its own time, an ended one never."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from shared.drain.timeouts import SLACK, Timeouts
from shared.testing import FakeClock, run_virtually


class Job:
    """Remembers when it was stopped, and why."""

    def __init__(self) -> None:
        self.stopped: list[tuple[float, str]] = []

    def cancel(self, reason: str) -> None:
        self.stopped.append((round(asyncio.get_running_loop().time(), 3), reason))


def virtually(story: Callable[[Timeouts], Awaitable[None]]) -> None:
    async def main() -> None:
        await story(Timeouts())

    run_virtually(main(), FakeClock(0))


def test_each_job_is_stopped_once_in_its_own_time_whatever_the_order() -> None:
    jobs = {seconds: Job() for seconds in (30.0, 5.0, 60.0, 5.5)}

    async def story(timeouts: Timeouts) -> None:
        began = asyncio.get_running_loop().time()
        for seconds, job in jobs.items():
            timeouts.add(job, seconds)
        await asyncio.sleep(100)
        stops = {seconds: job.stopped for seconds, job in jobs.items()}
        assert stops == {s: [(round(began + s, 3), "timeout")] for s in jobs}

    virtually(story)


def test_a_job_that_ends_in_time_is_not_cancelled_and_the_others_are() -> None:
    early, late = Job(), Job()

    async def story(timeouts: Timeouts) -> None:
        timeouts.add(early, 5)
        timeouts.add(late, 10)
        await asyncio.sleep(1)
        timeouts.remove(early)
        timeouts.remove(early)  # harmless when repeated
        await asyncio.sleep(20)

    virtually(story)
    assert early.stopped == []
    assert [reason for _when, reason in late.stopped] == ["timeout"]


def test_a_job_that_begins_after_everybody_has_ended_is_still_stopped() -> None:
    first, second = Job(), Job()

    async def story(timeouts: Timeouts) -> None:
        timeouts.add(first, 2)
        timeouts.remove(first)
        await asyncio.sleep(50)
        began = asyncio.get_running_loop().time()
        timeouts.add(second, 3)
        await asyncio.sleep(50)
        assert second.stopped == [(round(began + 3, 3), "timeout")]

    virtually(story)
    assert first.stopped == []


def test_close_timeouts_share_one_callback_and_none_is_later_than_the_slack() -> None:
    jobs = [Job() for _ in range(5)]

    async def story(timeouts: Timeouts) -> None:
        began = asyncio.get_running_loop().time()
        for n, job in enumerate(jobs):
            timeouts.add(job, 10 - n * SLACK / 5)
        await asyncio.sleep(20)
        for n, job in enumerate(jobs):
            ((when, _reason),) = job.stopped
            due = began + 10 - n * SLACK / 5
            assert due - 0.001 <= when <= due + SLACK + 0.001

    virtually(story)


def test_times_that_come_a_little_later_each_do_not_postpone_the_first() -> None:
    jobs = [Job() for _ in range(100)]

    async def story(timeouts: Timeouts) -> None:
        for i, job in enumerate(jobs):
            timeouts.add(job, 5 + i * SLACK * 0.8)
        await asyncio.sleep(10)

    virtually(story)

    for i, job in enumerate(jobs):
        ((at, _reason),) = job.stopped
        assert 0 <= at - (5 + i * SLACK * 0.8) <= SLACK + 0.001
