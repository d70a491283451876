"""A consumer that is held back: by a suspect, a rate or an instant to come."""

from __future__ import annotations

import itertools

import pytest

from shared import JobContext, RateLimit
from tests.faults.conftest import Play
from tests.support.turns import make_exclusive
from tests.support.values import Number
from tests.support.world import World


def test_a_suspect_runs_when_nothing_else_does_and_nothing_begins_beside_it(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        spans: list[tuple[float, float]] = []
        queues = [world.app.queue(name) for name in ("busy", "shaky")]
        for queue in queues:

            @queue.job("t")
            async def handle(payload: Number, job: JobContext) -> None:
                began = world.clock.monotonic()
                await world.clock.sleep(3)
                spans.append((began, world.clock.monotonic()))

        busy, shaky = queues
        await world.enqueue(shaky, 2)
        await make_exclusive(world.store, shaky, world.clock)
        await world.enqueue(busy, 1)

        report = await world.drained(busy, shaky)

        spans.sort()
        assert report.outcomes == {"done": 3}
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))

    play(story)


def test_a_rate_limited_consumer_waits_for_half_a_burst_not_for_each_token(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        queue = world.queue(limit=RateLimit(10, per=1, burst=10))
        await world.enqueue(queue, 40)

        report = await world.drained(queue)

        assert report.outcomes == {"done": 40}
        assert report.seconds_used == pytest.approx(3, abs=0.5)
        assert sum(consumer.turns for consumer in report.queues) <= 20

    play(story)


def test_a_delayed_job_of_a_limited_queue_does_not_wait_for_tokens_that_it_has(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        queue = world.queue(limit=RateLimit(1, per=1, burst=2))
        began = world.clock.epoch_ms()
        await world.enqueue(queue, 1, delay=0.2)

        await world.drained(queue)

        (started,) = world.starts
        assert 200 <= started - began <= 250

    play(story)


def test_a_consumer_without_patience_ends_with_the_reason_that_holds_it(play: Play[None]) -> None:
    async def story(world: World) -> None:
        limited = world.queue("limited", limit=RateLimit(1, per=30))
        await world.enqueue(limited, 2)
        paused = world.queue("paused")
        await world.enqueue(paused, 1)
        await world.store.pause(paused, paused=True)

        for queue, reason in ((limited, "limited"), (paused, "paused")):
            report = await world.drained(queue, patience=5)
            assert (report.stop, report.seconds_used < 1) == (reason, True)

    play(story)
