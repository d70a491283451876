"""Backlogs of keys: jobs that are cancelled in them, and queues that have a limit of their own."""

from __future__ import annotations

import pytest

from shared import KeyLimit, RateLimit
from shared.drain.report import StopReason
from tests.faults.conftest import Play
from tests.support.turns import Owner, ids, jobs, settle
from tests.support.world import World

LIMITS = pytest.mark.parametrize(
    "limit",
    [KeyLimit(concurrency=1), KeyLimit(rate=RateLimit(1, per=10))],
    ids=["concurrency", "rate"],
)


@LIMITS
@pytest.mark.parametrize("how", ["cancel", "purge"])
def test_a_deferred_job_that_is_removed_costs_no_later_one_its_place(
    play: Play[None], how: str, limit: KeyLimit
) -> None:
    async def story(world: World) -> None:
        queue = world.queue(per_key=limit, seconds=1.0)
        await world.store.enqueue(queue, jobs("a", "b", key="ann"))
        owner = Owner(world.store, queue)
        (claim,) = await owner.claim()
        if how == "cancel":
            await world.store.cancel(queue, "b")
        else:
            await world.store.purge(queue)
        world.clock.advance(11)
        await owner.turn(10, [settle(claim)])

        await world.store.enqueue(queue, jobs("c", "d", key="ann"))
        for _ in range(4):
            await world.drain(budget=30.0).tick()
            await world.clock.sleep(60)

        states = [(await world.store.inspect(queue, job_id)).state for job_id in "cd"]
        assert states == ["completed", "completed"]

    play(story)


@LIMITS
def test_many_removed_jobs_of_a_backlog_are_passed_in_a_few_turns(
    play: Play[None], limit: KeyLimit
) -> None:
    async def story(world: World) -> None:
        queue = world.queue(per_key=limit)
        names = [f"j{n}" for n in range(500)]
        await world.store.enqueue(queue, jobs("first", *names, "last", key="ann"))
        owner = Owner(world.store, queue)
        (first,) = await owner.claim()
        for name in names:
            await world.store.cancel(queue, name)
        world.clock.advance(11)

        replies = [await owner.turn(10, [settle(first)]), await owner.turn(10)]

        assert [ids(reply.claims) for reply in replies if reply.claims] == [["last"]]

    play(story)


def test_a_queue_with_a_limit_of_its_own_waits_for_its_token(play: Play[None]) -> None:
    async def story(world: World) -> None:
        limit = RateLimit(1, per=60, burst=1)
        queue = world.queue(per_key=KeyLimit(concurrency=1), limit=limit, seconds=0.1)
        await world.enqueue(queue, 5, key="ann")
        reports = []
        for _ in range(4):
            reports.append(await world.drain(budget=55.0).tick())
            await world.clock.sleep(60)

        assert [one.stop for one in reports] == [StopReason.LIMITED] * 4
        assert [dict(one.outcomes) for one in reports] == [{"done": 1}] * 4
        assert {one.requests for one in reports[1:]} == {3}  # agenda, claim, settle

    play(story)


def test_a_limited_queue_is_idle_until_its_token_though_its_keys_have_room(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        limit = RateLimit(1, per=3600, burst=1)
        queue = world.queue(per_key=KeyLimit(concurrency=1), limit=limit)
        await world.enqueue(queue, 3, key="ann")
        await world.drain(budget=30.0).tick()

        later = []
        for _ in range(5):
            await world.clock.sleep(30)
            later.append((await world.drain(budget=30.0).tick()).commands)

        assert set(later) == {1}

    play(story)
