"""A job whose follow-ups find no place: how often it is tried again, and who is told of it."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from shared import Dead, KeyLimit, Queue, RateLimit
from shared.observe.explain import explain
from shared.store.views import JobView
from tests.support.turns import Owner, make_exclusive
from tests.support.values import Number
from tests.support.world import World

GROWING = [60, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
ENDED = "it has ended, but its follow-ups can't be stored"


def make_full(world: World) -> Queue:
    return world.app.queue("narrow", max_jobs=1)


def make_limited(world: World) -> Queue:
    rate = KeyLimit(rate=RateLimit(1, per=86400))
    return world.app.queue("narrow", per_key=rate, if_limited="refuse")


def make_gone(world: World) -> Queue:
    return world.app.queue("narrow")


MAKERS: dict[str, Callable[[World], Queue]] = {
    "it is full": make_full,
    "it takes no more of key 'kim' now": make_limited,
    "it is declared no more": make_gone,
}


async def stuck(world: World, why: str) -> Queue:
    """A job "j0" whose follow-ups on the queue "narrow" can't be stored."""
    queue, narrow = world.queue(), MAKERS[why](world)

    @narrow.job("note")
    async def note(payload: Number) -> None: ...

    first = note.job(Number(), key="kim", delay=86_400)
    await world.store.enqueue(narrow, [first])
    then = [note.job(Number(), key="kim")]
    await world.store.enqueue(queue, [queue.types["t"].job(Number(), job_id="j0", then=then)])
    if why == "it is declared no more":
        del world.app.queues["narrow"]
    return queue


async def tried(world: World, queue: Queue) -> JobView:
    """The job after one drain at the instant of its next try."""
    report = await world.drain(budget=50, patience=0).run([queue])
    assert report.outcomes == {"released": 1}
    return await world.store.inspect(queue, "j0")


@pytest.mark.parametrize("why", MAKERS)
async def test_each_wait_is_as_long_as_all_before_it_and_an_hour_at_most(
    world: World, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    queue = await stuck(world, why)
    waits, limited = list[int](), why.startswith("it takes no more")
    expected = [3600] * len(GROWING) if limited else GROWING  # the next token is a day away
    for _ in expected:
        view = await tried(world, queue)
        assert view.at_ms
        waits.append(round((view.at_ms - view.now_ms) / 1000))
        world.clock.advance(waits[-1])

    assert waits == expected
    told = [one for one in caplog.records if one.msg == "follow_ups_not_stored"]
    errors = sum(one.levelno == logging.ERROR for one in told)
    assert errors == sum(wait < 3600 for wait in expected)
    assert world.ran == ["j0"]


@pytest.mark.parametrize("why", MAKERS)
@pytest.mark.parametrize(
    ("reached", "told"),
    [(None, True), (["q", "narrow"], True), (["q"], False), (["q", "other"], False)],
)
async def test_only_who_may_know_the_queue_is_told_of_it(
    world: World, why: str, reached: list[str] | None, told: bool
) -> None:
    world.app.queue("other")
    queue = await stuck(world, why)

    view = await tried(world, queue)

    (gate,) = explain(view, reached)
    assert gate.code == "follow_ups"
    assert gate.detail == (f"{ENDED} on queue 'narrow': {why}" if told else ENDED)
    assert "other" not in str(view.history)


@pytest.mark.parametrize("missing", ["queue 'x' is full", 5, [], ["x"], ["x", 5], {"queue": "x"}])
async def test_a_damaged_note_explains_nothing_and_breaks_nothing(
    world: World, missing: object
) -> None:
    queue = await stuck(world, "it is full")
    view = await tried(world, queue)
    view.history["end"]["missing"] = missing

    assert [gate.code for gate in explain(view)] == ["waiting"]


async def test_follow_ups_that_a_rate_refuses_are_tried_at_their_tokens(world: World) -> None:
    queue, tries = world.queue(), list[int]()
    narrow = world.app.queue(
        "narrow", per_key=KeyLimit(rate=RateLimit(1, per=10)), if_limited="refuse"
    )

    @narrow.job("note")
    async def note(payload: Number) -> None: ...

    work = queue.types["t"]
    jobs = [
        work.job(Number(), job_id=f"j{n}", then=[note.job(Number(), key="kim")]) for n in range(5)
    ]
    await world.store.enqueue(queue, jobs)
    for _ in range(5):
        report = await world.drain(budget=50, patience=0).run([queue])
        tries.append(report.outcomes.total())
        world.clock.advance(10)

    assert tries == [6 - 1, 1, 1, 1, 1]
    assert (await world.store.stats(queue)).sizes["completed"] == 5
    assert (await world.store.stats(narrow)).jobs == 5


@pytest.mark.parametrize(("delay", "left"), [(30, 0), (90, 30), (3600, 3540)])
async def test_a_delay_counts_from_the_end_of_the_parent(
    world: World, delay: int, left: int
) -> None:
    queue, narrow = world.queue(), world.app.queue("narrow", max_jobs=1)

    @narrow.job("note")
    async def note(payload: Number) -> None: ...

    await world.store.enqueue(narrow, [note.job(Number(), job_id="first", delay=86_400)])
    then = [note.job(Number(), delay=delay)]
    await world.store.enqueue(queue, [queue.types["t"].job(Number(), job_id="j0", then=then)])
    await tried(world, queue)
    await world.store.purge(narrow)
    world.clock.advance(60)

    await world.drain(budget=50, patience=0).run([queue])

    (row,) = await world.store.list_jobs(narrow, "delayed" if left else "waiting")
    assert not left or row.at_ms == world.clock.epoch_ms() + left * 1000


async def test_a_crash_death_waits_for_a_deployment_that_knows_the_type(world: World) -> None:
    queue, seen = world.app.queue("q"), list[str]()

    @queue.job("t")
    async def work(payload: Number) -> None: ...

    @work.on_dead
    async def dead(end: Dead[Number]) -> None:
        seen.append(end.error.type)

    await world.store.enqueue(queue, [work.job(Number(), job_id="poison")])
    await Owner(world.store, queue, "new").turn(0, settles_deaths=True)
    await make_exclusive(world.store, queue, world.clock)
    for n in range(3):
        await Owner(world.store, queue, f"killed{n}", lease_ms=1).claim()
        world.clock.advance(1)

    async with World(world.engine, world.clock) as old:
        same = old.app.queue("q")
        report = await old.drain(budget=50, patience=0).run([same])
        assert report.outcomes == {"parked": 1}
        view = await old.store.inspect(same, "poison")
        assert (view.state, view.reason, view.crashes) == ("parked", "crashed", 3)
    world.clock.advance(900)
    await world.drained(queue)
    await world.drained(queue)

    assert (await world.store.inspect(queue, "poison")).state == "dead"
    assert seen == ["Crashed"]
