"""What jobs add after their enqueue (errors, results, log lines) never fills the entry of their
records: near its end histories get short, and the queue goes on."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared import JobContext, Queue, Retry
from shared.embedded.limits import Limits
from shared.jobs.job import Job
from shared.jobs.short_history import LONGEST_TEXT, NO_RESULT
from shared.testing import FakeClock
from tests.support.servers import Servers, empty_engine
from tests.support.threads import run_threaded
from tests.support.values import Number
from tests.support.world import World

ENTRY = 4 * 2**20
"""The largest entry of the store, lowered from 100 MiB; all else stands to it as by default."""
MAX_BYTES = ENTRY * 48 // 100
Handler = Callable[[Number, JobContext], Awaitable[Any]]


async def _errors(payload: Number, job: JobContext) -> None:
    raise ValueError("the provider answered: " + "x" * 1500)


async def _wide_errors(payload: Number, job: JobContext) -> None:
    raise ValueError("the provider answered: " + "é" * 1900)


async def _log_lines(payload: Number, job: JobContext) -> None:
    for n in range(4):
        job.log(f"{n} " + "y" * 400)
    job.progress(0.5, note="z" * 1000)
    raise ValueError("failed")


async def _results(payload: Number, job: JobContext) -> str:
    return "r" * 5000


def _story(
    engine_kind: str, servers: Servers, clock: FakeClock, story: Callable[[World], Awaitable[None]]
) -> None:
    async def main() -> None:
        limits = Limits(entry_bytes=ENTRY)
        async with (
            empty_engine(engine_kind, servers) as engine,
            World(engine, clock, limits=limits) as world,
        ):
            await story(world)

    run_threaded(main(), clock)


async def _fill(world: World, queue: Queue, size: int) -> int:
    """As many jobs of this size as the queue takes."""
    stored, full = 0, False
    while not full:
        body = f'{{"n":1,"s":"{"s" * size}"}}'
        batch = [Job("t", body, id=f"j{stored + i:05}") for i in range(100)]
        answers = await world.store.enqueue(queue, batch)
        stored += sum(answer.stored for answer in answers)
        full = not all(answer.stored for answer in answers)
    return stored


@pytest.fixture(autouse=True)
def _no_tracebacks(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of failures are not formatted for the log."""
    caplog.set_level(logging.CRITICAL, logger="tidegate")


@pytest.mark.parametrize(
    ("handler", "size", "shards"),
    [
        (_errors, 4000, 1),
        (_errors, 4000, 3),
        (_errors, 1200, 1),
        (_wide_errors, 4000, 1),
        (_log_lines, 4000, 1),
        (_results, 4000, 1),
    ],
)
def test_a_full_queue_whose_jobs_add_much_goes_on_until_all_have_ended(
    engine_kind: str, servers: Servers, clock: FakeClock, handler: Handler, size: int, shards: int
) -> None:
    async def story(world: World) -> None:
        retry = Retry.fixed(attempts=2, wait=60)
        queue = world.app.queue("q", max_bytes=MAX_BYTES * shards, shards=shards, retry=retry)
        queue.job("t")(handler)
        stored = await _fill(world, queue, size)
        for _ in range(4):
            report = await world.drained(queue, budget=300)
            assert not any(one.error for one in report.queues), report.queues
            clock.advance(61)

        stats = await world.store.stats(queue)
        ended = {name: n for name, n in stats.sizes.items() if n}
        assert set(ended) <= {"dead", "completed"}
        assert ended.get("dead", stored) == stored
        assert max(one.bytes for one in stats.usage) <= ENTRY * 80 // 100

    _story(engine_kind, servers, clock, story)


def test_short_histories_tell_that_they_are_short(
    engine_kind: str, servers: Servers, clock: FakeClock
) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue(
            "q", max_bytes=100_000, concurrency=5, retry=Retry.fixed(attempts=1, wait=1)
        )

        @queue.job("t")
        async def handle(payload: Number, job: JobContext) -> str:
            if job.id.startswith("good"):
                return "r" * 1500
            raise ValueError("m" * 1500)

        await world.store.enqueue(queue, [Job("t", '{"n":1}', id="good", delay_ms=600_000)])
        stored = await _fill(world, queue, 900)
        await world.drained(queue, budget=300)
        letters = [await world.store.inspect(queue, f"j{n:05}") for n in range(stored)]
        messages = [letter.errors[-1]["message"] for letter in letters if letter.errors]
        assert max(map(len, messages)) == 1500  # while there was room
        assert min(map(len, messages)) == LONGEST_TEXT
        world.clock.advance(600)
        await world.drained(queue)

        good = await world.store.inspect(queue, "good")

        assert good.state == "completed"
        assert good.result_error == NO_RESULT

    _story(engine_kind, servers, clock, story)
