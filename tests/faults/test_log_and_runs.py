"""What a job keeps of its past: the lines of `job.log` and its runs, both bounded."""

from __future__ import annotations

import asyncio
import json

import pytest

from shared import JobContext, Retry
from shared.jobs.history import MOST_RUNS
from shared.jobs.log import LONGEST_LINE, MOST_BYTES, MOST_LINES
from shared.jobs.redact import keep_secret
from shared.testing import FakeClock
from tests.faults.conftest import Play
from tests.support.turns import Owner, settle
from tests.support.values import Number
from tests.support.world import World


def test_runs_and_lines_survive_retries_and_the_end(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q", retry=Retry.fixed(attempts=3, wait=20))

        @queue.job("t")
        async def work(payload: Number, job: JobContext) -> None:
            job.log(f"try {job.attempt}")
            await world.clock.sleep(2)
            if job.attempt == 1:
                raise ValueError("not yet")

        began = world.clock.epoch_ms()
        handle = await work.enqueue(Number())
        for _ in range(2):
            await world.drained(queue, patience=0)
            await world.clock.sleep(20)

        view = await handle.status()
        assert [(run.attempt, run.outcome) for run in view.runs] == [(1, "retry"), (2, "done")]
        assert [run.ended_ms - run.began_ms for run in view.runs] == [2000, 2000]
        assert view.runs[0].began_ms == pytest.approx(began, abs=500)
        assert [(line.attempt, line.text) for line in view.log] == [(1, "try 1"), (2, "try 2")]
        assert [line.at_ms for line in view.log] == [run.began_ms for run in view.runs]

    play(story)


def test_lines_are_seen_while_the_job_runs_and_a_death_keeps_them(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")

        @queue.job("t")
        async def work(payload: Number, job: JobContext) -> None:
            if job.redelivered:
                job.log("again")
                return
            job.log("first")
            await asyncio.Event().wait()

        handle = await work.enqueue(Number())
        dying = asyncio.create_task(world.drain(world.client()).run([queue]))
        await world.clock.sleep(6)
        assert [line.text for line in (await handle.status()).log] == ["first"]
        dying.cancel()
        await world.clock.sleep(60)
        await world.drained(queue)

        view = await handle.status()
        assert [line.text for line in view.log] == ["first", "again"]
        assert [run.outcome for run in view.runs] == ["done"]

    play(story)


@pytest.mark.parametrize(
    ("line", "count", "kept"),
    [
        ("{n}", MOST_LINES + 7, MOST_LINES),
        ("x" * LONGEST_LINE + "{n}", 3, 3),
        ("é" * LONGEST_LINE, 30, MOST_BYTES // (2 * LONGEST_LINE)),
        ("", 3, 3),
    ],
)
async def test_the_oldest_lines_go_first(world: World, line: str, count: int, kept: int) -> None:
    queue = world.app.queue("q")

    @queue.job("t")
    async def work(payload: Number, job: JobContext) -> None:
        for n in range(count):
            job.log(line.format(n=n))

    handle = await work.enqueue(Number())
    await world.drained(queue)

    texts = [one.text for one in (await handle.status()).log]
    assert texts == [line.format(n=n)[:LONGEST_LINE] for n in range(count)][-kept:]


async def test_a_line_shows_no_secret_and_no_control_character(world: World) -> None:
    queue = world.app.queue("q")
    keep_secret(["a-secret-of-this-test"])

    @queue.job("t")
    async def work(payload: Number, job: JobContext) -> None:
        job.log("token a-secret-of-this-test \x1b[31m https://a:b@example.com/x?sig=1 \ud800")

    handle = await work.enqueue(Number())
    await world.drained(queue)

    (line,) = (await handle.status()).log
    assert line.text == "token [secret] \ufffd[31m https://example.com/x?… ?"


async def test_no_more_than_the_last_runs_are_kept(world: World, clock: FakeClock) -> None:
    queue = world.app.queue("q", retry=Retry.fixed(attempts=99, wait=1))

    @queue.job("t")
    async def work(payload: Number) -> None:
        raise ValueError("never")

    handle = await work.enqueue(Number())
    for _ in range(MOST_RUNS + 5):
        await world.drained(queue, patience=0)
        clock.advance(1)

    runs = (await handle.status()).runs
    assert [run.attempt for run in runs] == list(range(6, MOST_RUNS + 6))


@pytest.mark.parametrize("past", ['{"log":7,"runs":[[1]]}', '{"log":[[1,1]],"runs":"x"}', "{", "7"])
async def test_a_damaged_past_does_not_keep_a_job_from_running(world: World, past: str) -> None:
    queue = world.app.queue("q")

    @queue.job("t")
    async def work(payload: Number, job: JobContext) -> None:
        job.log("fine")

    handle = await work.enqueue(Number())
    owner = Owner(world.store, queue)
    (claim,) = await owner.claim()
    await owner.turn(0, [settle(claim, "release", history=past)])

    await world.drained(queue)

    view = await handle.status()
    assert ([line.text for line in view.log], len(view.runs)) == (["fine"], 1)
    assert json.dumps(view.history)
