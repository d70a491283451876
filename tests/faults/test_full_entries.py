"""What jobs add after their enqueue (errors, results, log lines) never fills the entry of their
records: near its end histories get short, and the queue goes on."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared import App, Completed, Dead, Discard, JobContext, Queue, Retry
from shared.cli.diagnosis.declarations import LARGEST_ENTRY, ROOM_OF_SETTLES
from shared.embedded.limits import Limits
from shared.jobs.job import EnqueueAnswer, Job
from shared.jobs.short_history import LONGEST_OF_MINIMAL, LONGEST_TEXT, NO_RESULT, NOT_KEPT
from shared.store.turn import CLAIM_MAX_BYTES
from shared.store.usage import MOST_WITH_SHORT_HISTORIES, WORST_SHARD
from shared.testing import FakeClock
from tests.support.servers import Servers, empty_engine
from tests.support.threads import run_threaded
from tests.support.values import Number
from tests.support.world import World

ENTRY = 4 * 2**20
"""The largest entry of the store, lowered from 100 MiB; all else stands to it as by default."""
MAX_BYTES = ENTRY * 48 // 100
TURN = ENTRY * CLAIM_MAX_BYTES // LARGEST_ENTRY
"""Bytes of the jobs of one turn, lowered alike."""
RESULT = "r" * 1500
Handler = Callable[[Number, JobContext], Awaitable[Any]]


class Sized(Number):
    """A payload of any size."""

    text: str


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


async def _fill(world: World, queue: Queue, size: int, ends: str = "", store: Any = None) -> int:
    """As many jobs of this size as the queue takes. Their ids end so, which may name a shard."""
    stored, full = 0, False
    while not full:
        body = f'{{"n":1,"s":"{"s" * size}"}}'
        batch = [Job("t", body, id=f"j{stored + i:05}{ends}") for i in range(100)]
        answers = await (store or world.store.enqueue)(queue, batch)
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


@pytest.mark.parametrize(
    ("handler", "shards"),
    [(_errors, 1), (_errors, 2), (_wide_errors, 2), (_results, 2), (_log_lines, 3)],
)
def test_a_shard_that_follow_ups_have_filled_goes_on_in_an_entry_that_doctor_calls_fitting(
    engine_kind: str, servers: Servers, clock: FakeClock, handler: Handler, shards: int
) -> None:
    """All jobs are in one shard, which takes more than its share, and more again of follow-ups."""

    async def story(world: World) -> None:
        share = int((1 - ROOM_OF_SETTLES / LARGEST_ENTRY) * ENTRY / WORST_SHARD)
        retry = Retry.fixed(attempts=2, wait=60)
        queue = world.app.queue(
            "q", max_bytes=share * shards, shards=shards, retry=retry, concurrency=TURN // 4000
        )
        queue.job("t")(handler)

        async def follow(queue: Queue, jobs: list[Job]) -> list[EnqueueAnswer]:
            return await world.store.enqueue_follow_ups(queue, jobs, within=5.0)

        stored = await _fill(world, queue, 4000, "~0")
        stored += await _fill(world, queue, 4000, "f~0", follow)
        before = max(one.bytes for one in (await world.store.stats(queue)).usage) / share
        assert 0.98 * WORST_SHARD < before <= WORST_SHARD
        for _ in range(4):
            report = await world.drained(queue, budget=300)
            assert not any(one.error for one in report.queues), report.queues
            clock.advance(61)

        stats = await world.store.stats(queue)
        assert stats.sizes["dead"] + stats.totals["done"] == stored
        assert max(one.bytes for one in stats.usage) <= ENTRY * 94 // 100

    _story(engine_kind, servers, clock, story)


@pytest.mark.parametrize("ends", ["plain", "followed", "failed first"])
def test_dead_letters_of_small_jobs_make_no_entry_longer_than_its_levels_say(
    engine_kind: str, servers: Servers, clock: FakeClock, ends: str
) -> None:
    async def story(world: World) -> None:
        retry = Retry.fixed(attempts=2 if ends == "failed first" else 1, wait=30)
        queue = world.app.queue("q", max_bytes=100_000, retry=retry, concurrency=20)
        other = world.app.queue("other", max_bytes=4 * MAX_BYTES, shards=4)

        @queue.job("t")
        async def fail(payload: Number) -> None:
            raise ValueError("m" * 1500)

        if ends != "plain":

            @fail.on_dead(queue=other)
            async def dead(end: Dead[Number]) -> None: ...

        stored = await _fill(world, queue, 0)
        for _ in range(4):
            await world.drained(queue, budget=300)
            await world.drained(other, budget=300)
            world.clock.advance(61)

        stats = await world.store.stats(queue)
        assert stats.sizes["dead"] == stored
        assert stats.bytes < 100_000 * (MOST_WITH_SHORT_HISTORIES + 0.25)  # and those under way

    _story(engine_kind, servers, clock, story)


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("size", [0, 500, 2000])
@pytest.mark.parametrize("failures", [0, 1, 3])
def test_a_queue_full_of_jobs_that_wait_for_their_follow_ups_goes_on(
    engine_kind: str, servers: Servers, clock: FakeClock, failures: int, size: int, shards: int
) -> None:
    """Their histories grow first, and their follow-ups go to the same queue."""

    async def story(world: World) -> None:
        tries, followed = Counter[str](), list[str]()
        queue = world.app.queue(
            "q",
            max_bytes=80_000 * shards,
            shards=shards,
            retry=Retry.fixed(attempts=9, wait=60),
            concurrency=5,
        )

        @queue.job("t")
        async def fail_first(payload: Sized, job: JobContext) -> str:
            tries[job.id] += 1
            if tries[job.id] <= failures:
                await _errors(payload, job)
            return "r" * 150

        @queue.job("after")
        async def follow(payload: Number, job: JobContext) -> None:
            followed.append(job.id)

        payload, then = Sized(n=1, text="s" * size), [queue.types["after"].job(Number(n=1))]
        stored, full = 0, False
        while not full:
            jobs = [queue.types["t"].job(payload, then=then) for _ in range(50)]
            answers = await world.store.enqueue(queue, jobs)
            stored += sum(answer.stored for answer in answers)
            full = not all(answer.stored for answer in answers)
        for _ in range(failures + 6):
            report = await world.drained(queue, budget=300)
            assert not any(one.error for one in report.queues), report.queues
            clock.advance(61)

        assert (len(tries), len(followed)) == (stored, stored)
        sizes = (await world.store.stats(queue)).sizes
        assert {name for name, n in sizes.items() if n} == {"completed"}

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
        assert good.result_error in (NO_RESULT, NOT_KEPT)

    _story(engine_kind, servers, clock, story)


async def _crowded(world: World, crowding: float) -> Queue:
    """A queue that holds so many times its bytes, all of them of jobs for another day."""
    filler = [Job("t", f'{{"s":"{"s" * 900}"}}', delay_ms=86_400_000) for _ in range(60)]
    roomy = App("roomy").queue("q", max_bytes=MAX_BYTES)
    await world.store.enqueue(roomy, filler)
    for job_id in ("good", "bad", "plain"):
        await world.store.enqueue(roomy, [Job(job_id, '{"n":1}', id=job_id)])
    used = sum(one.bytes for one in (await world.store.stats(roomy)).usage)
    return world.app.queue("q", max_bytes=round(used / crowding))


def _with_followers(queue: Queue, followed: Queue, told: list[Any]) -> None:
    """Handlers of the jobs "good", "bad" and "plain", of which the last has no follow-up."""

    @queue.job("plain")
    async def plain(payload: Number) -> str:
        return RESULT

    @queue.job("good")
    async def good(payload: Number) -> str:
        return RESULT

    @queue.job("bad")
    async def bad(payload: Number) -> None:
        raise Discard("m" * 1500)

    @good.on_completed(queue=followed)
    async def completed(end: Completed[Number]) -> None:
        told.append(end)

    @bad.on_dead(queue=followed)
    async def dead(end: Dead[Number]) -> None:
        told.append(end)


@pytest.mark.parametrize(
    ("crowding", "reasons"),
    [(0.5, [None, None]), (1.37, [NO_RESULT, NO_RESULT]), (2.0, [NOT_KEPT, NOT_KEPT])],
    ids=["full", "short", "minimal"],
)
def test_follow_ups_that_wait_for_room_are_told_how_the_job_ended(
    engine_kind: str, servers: Servers, clock: FakeClock, crowding: float, reasons: list[str | None]
) -> None:
    """`reasons`: why the results of "plain" and, once its follow-up is stored, "good" are gone."""

    async def story(world: World) -> None:
        told: list[Completed[Number] | Dead[Number]] = []
        queue, narrow = await _crowded(world, crowding), world.app.queue("narrow", max_jobs=1)
        _with_followers(queue, narrow, told)
        await world.store.enqueue(narrow, [Job("t", "{}", delay_ms=86_400_000)])
        for wait in (60, 60, 120):
            report = await world.drain(budget=50, patience=0).run([queue])
            assert report.outcomes["released"] == 2
            clock.advance(wait)
        plain = await world.store.inspect(queue, "plain")
        await world.store.purge(narrow)
        for _ in range(4):
            await world.drain(budget=50, patience=0).run([queue])
            await world.drain(budget=50, patience=0).run([narrow])
            clock.advance(240)

        done, dead = sorted(told, key=lambda end: end.id, reverse=True)
        assert isinstance(done, Completed)
        whole = crowding < 2
        assert (done.result, done.result_error) == ((RESULT, None) if whole else (None, NOT_KEPT))
        assert isinstance(dead, Dead)
        assert dead.error.type == "Discard"
        assert len(dead.error.message) == (1500 if whole else LONGEST_OF_MINIMAL)
        assert bool(dead.error.stack) == whole
        good = await world.store.inspect(queue, "good")
        assert [plain.result_error, good.result_error] == reasons
        letter = await world.store.inspect(queue, "bad")
        longest = {0.5: 1500, 1.37: LONGEST_TEXT, 2.0: LONGEST_OF_MINIMAL}
        assert len(letter.errors[-1]["message"]) == longest[crowding]

    _story(engine_kind, servers, clock, story)
