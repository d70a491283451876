"""`enqueue_sync`: enqueues of code without an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import pytest

from shared.declare.handle import JobHandle
from shared.declare.queue import JobType
from shared.jobs.context import JobContext
from tests.support.values import Number
from tests.support.world import World

Play: TypeAlias = Callable[[Callable[[World], Coroutine[Any, Any, None]]], None]


WAYS: list[Callable[[JobType[Any], Number], JobHandle]] = [
    lambda job_type, payload: job_type.enqueue_sync(payload),
    lambda job_type, payload: asyncio.run(job_type.enqueue(payload)),
    lambda job_type, payload: job_type.enqueue_many_sync([job_type.job(payload)])[0],
]


@pytest.mark.parametrize("depth", [1, 4])
@pytest.mark.parametrize("enqueue", WAYS, ids=["sync", "own-loop", "many"])
def test_what_a_sync_handler_enqueues_is_done_in_the_same_tick(
    play: Play, depth: int, enqueue: Callable[[JobType[Any], Number], JobHandle]
) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")

        @queue.job("t")
        def handle(payload: Number, job: JobContext) -> None:
            world.began(job)
            if payload.n < depth:
                answer = enqueue(handle, Number(n=payload.n + 1))
                assert (answer.state, answer.duplicate) == ("waiting", False)

        await handle.enqueue(Number())
        report = await world.drain().tick()

        assert report.outcomes == {"done": depth + 1}

    play(story)


def test_jobs_that_each_enqueue_one_share_requests_of_their_drain(play: Play) -> None:
    async def story(world: World) -> None:
        parents, children = world.app.queue("parents"), world.queue("q")

        @parents.job("t")
        def handle(payload: Number) -> None:
            children.types["t"].enqueue_many_sync([children.types["t"].job(payload)])

        await handle.enqueue_many([handle.job(Number(n=n)) for n in range(1300)])
        report = await world.drain(budget=600).tick()

        assert report.outcomes == {"done": 2600}
        assert len(world.ran) == 1300
        assert world.store.meter.by_verb["enqueue"] <= 1.5 * 1300

    play(story)


def test_a_thread_that_an_async_handler_starts_enqueues_through_its_drain(play: Play) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")

        @queue.job("t")
        async def handle(payload: Number) -> None:
            if payload.n:
                await asyncio.to_thread(handle.enqueue_sync, Number(n=payload.n - 1))

        await handle.enqueue(Number(n=2))
        report = await world.drain().tick()

        assert report.outcomes == {"done": 3}

    play(story)


def test_an_async_handler_that_would_block_its_loop_is_told_what_to_write(play: Play) -> None:
    async def story(world: World) -> None:
        queue = world.queue()
        with pytest.raises(RuntimeError, match=r"await enqueue\(\.\.\.\)"):
            queue.types["t"].enqueue_sync(Number())

    play(story)


def test_an_error_of_the_store_is_raised_in_the_thread(play: Play) -> None:
    async def story(world: World) -> None:
        queue, errors = world.app.queue("q"), list[str]()

        @queue.job("t")
        def handle(payload: Number) -> None:
            try:
                handle.enqueue_sync(payload, delay=-1)
            except Exception as error:  # noqa: BLE001 - whatever it is
                errors.append(type(error).__name__)
            errors.append(threading.current_thread().name[:7])

        await handle.enqueue(Number())
        await world.drain().tick()

        assert errors == ["InvalidOption", "handler"]

    play(story)
