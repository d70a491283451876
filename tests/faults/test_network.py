"""Drains over a network that loses, repeats, delays and mangles: nothing is lost, nothing runs
twice except where the failure model allows it."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from shared import JobContext, Retry, RetryLater
from shared.testing import FAULTS, Fate, LossyTransport
from tests.faults.conftest import Play
from tests.support.values import Number
from tests.support.world import World


def moody(world: World) -> list[str]:
    """Twelve jobs; every fourth fails once."""
    queue = world.app.queue("q", retry=Retry.fixed(attempts=3, wait=0.5))

    @queue.job("t")
    async def handle(payload: Number, job: JobContext) -> None:
        world.began(job)
        if payload.n % 4 == 0 and job.attempt == 1:
            raise RetryLater(0.5)

    return [f"j{i:04}" for i in range(12)]


async def tell_with(world: World, fates: list[Fate]) -> int:
    """The story under these fates; the number of requests it took."""
    expected = moody(world)
    await world.enqueue(world.app.queues["q"], 12)

    report = await world.drain(world.client(fates), batch=5).run([world.app.queues["q"]])

    runs = Counter({job_id: 2 if i % 4 == 0 else 1 for i, job_id in enumerate(expected)})
    assert Counter(world.ran) == runs
    assert sorted(await world.probe.ids("q", "completed")) == expected
    assert (report.outcomes["done"], report.outcomes["retried"]) == (12, 3)
    totals = {"claimed": 15, "done": 12, "retried": 3}
    assert await world.probe.totals() == totals
    return len(world.transports[-1].happened)


@pytest.mark.parametrize("fate", FAULTS)
def test_any_one_request_of_a_drain_may_suffer_any_fate(play: Play[int], fate: Fate) -> None:
    requests = play(partial(tell_with, fates=[]))
    assert requests > 4

    for k in range(requests):
        play(partial(tell_with, fates=[*[Fate.DELIVERED] * k, fate]))


@pytest.mark.parametrize("seed", range(12))
def test_a_network_that_fails_one_request_in_three_loses_nothing(
    play: Play[None], seed: int
) -> None:
    async def story(world: World) -> None:
        queue = world.queue(seconds=0.05)
        ids = await world.enqueue(queue, 60)
        odds = dict.fromkeys(FAULTS, 1 / 3 / len(FAULTS))
        client = world.client(LossyTransport.drawn(seed, odds))
        await world.drain(client, batch=7).run([queue])

        assert sorted(world.ran) == ids
        assert sorted(await world.probe.ids("q", "completed")) == ids

    play(story)


def test_a_store_that_goes_away_for_good_ends_the_drain_quietly_and_its_jobs_come_back(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        queue = world.queue(seconds=1)
        ids = await world.enqueue(queue, 10)
        client = world.client([*[Fate.DELIVERED] * 2, *[Fate.LOST_BEFORE] * 10_000])
        report = await world.drain(client, budget=20).run([queue])
        assert (report.stop, report.outcomes) == ("store", {})
        assert report.seconds_used <= 20
        world.clock.advance(60)

        await world.drained(queue)

        assert sorted(await world.probe.ids("q", "completed")) == ids
        views = [await world.store.inspect(queue, job_id) for job_id in ids]
        assert {(view.attempts, view.crashes) for view in views} == {(1, 0)}

    play(story)


def test_results_that_can_not_be_settled_at_once_are_settled_when_the_store_answers_again(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        queue = world.queue(seconds=1)
        ids = await world.enqueue(queue, 10)
        client = world.client([*[Fate.DELIVERED] * 2, *[Fate.THROTTLED] * 15])
        report = await world.drain(client, budget=60).run([queue])

        assert (report.stop, report.outcomes["done"]) == ("empty", 10)
        assert sorted(world.ran) == ids

    play(story)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, {"error": "ERR max daily request limit exceeded. Limit: 10000"}, "max daily"),
        (400, {"error": "ERR max requests limit exceeded. Limit: 500000"}, "max requests"),
        (401, {"error": "WRONGPASS invalid or missing auth token"}, "WRONGPASS"),
        (403, {}, "refused the token"),
        (307, {}, "redirect"),
    ],
)
def test_a_store_that_refuses_is_asked_once_and_the_drain_ends_quietly(
    play: Play[None], status: int, body: dict[str, str], words: str
) -> None:
    async def story(world: World) -> None:
        queue = world.queue()
        await world.enqueue(queue, 3)
        client = world.client(answers=[(status, body)] * 100)
        report = await world.drain(client).tick()

        assert (report.stop, report.requests) == ("store", 1)
        assert words in (report.error or "")
        assert world.ran == []

    play(story)


def test_a_quota_that_ends_in_the_middle_of_a_drain_loses_nothing(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.queue(seconds=1)
        ids = await world.enqueue(queue, 10)
        quota = (400, {"error": "ERR max requests limit exceeded"})
        client = world.client(answers=[None, None, *[quota] * 100])
        report = await world.drain(client, batch=4).run([queue])
        assert (report.stop, report.requests) == ("store", 3)
        world.clock.advance(120)

        await world.drained(queue)

        assert sorted(await world.probe.ids("q", "completed")) == ids

    play(story)
