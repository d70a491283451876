"""Decided ends that meet a full queue, a function without the secret or the type of what follows,
a redrive, and a store that does not answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from shared import App, Completed, JobContext
from shared.declare.app import Registry
from shared.declare.queue import Queue
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.encryption.keyring import NO_KEYS
from shared.errors import QueueFull
from shared.store import Store, TurnReply, TurnRequest
from shared.testing import store_on
from tests.faults.conftest import Play
from tests.support.values import Number
from tests.support.world import World

HANDED_OUT_AGAIN = 60.0


def dying(store: Store, *, before: str = "", after: str = "") -> Store:
    """The store of a function that dies at a turn which settles an outcome of this kind."""
    turn = store.turn

    async def fatal(queue: Queue, request: TurnRequest, **options: Any) -> TurnReply:
        kinds = {one.kind for one in request.settles}
        if before in kinds:
            raise asyncio.CancelledError
        reply = await turn(queue, request, **options)
        if after in kinds:
            raise asyncio.CancelledError
        return reply

    store.turn = fatal  # type: ignore[method-assign]  # the function's own client
    return store


async def die(world: World, queue: Queue, **when: str) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await world.drain(dying(world.client(), **when), budget=30.0).run([queue])
    await world.clock.sleep(HANDED_OUT_AGAIN)


@pytest.mark.parametrize("then", [False, True], ids=["handler", "then"])
def test_a_queue_that_is_full_of_jobs_with_follow_ups_goes_on(
    play: Play[None], *, then: bool
) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q", max_jobs=10)
        followed: list[str] = []

        @queue.job("t")
        async def work(payload: Number) -> None: ...

        @queue.job("o")
        async def other(payload: Number, job: JobContext) -> None:
            followed.append(job.id)

        if not then:

            @work.on_completed
            async def done(end: Completed[Number]) -> None:
                followed.append(end.id)

        for n in range(10):
            await work.enqueue(Number(n=n), then=[other.job(Number(n=n))] if then else None)
        with pytest.raises(QueueFull):
            await work.enqueue(Number(n=10))

        for _ in range(4):
            await world.drain(budget=30.0).tick()
            await world.clock.sleep(HANDED_OUT_AGAIN)

        assert len(set(followed)) == 10
        sizes = (await world.store.stats(queue)).sizes
        assert {name for name, size in sizes.items() if size} == {"completed"}

    play(story)


def test_a_function_without_the_secret_of_a_follow_up_holds_back_that_job_only(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        secret, queue = world.app.queue("secret", encrypt=True), world.app.queue("q")

        @secret.job("s")
        async def follow(payload: Number) -> None: ...

        @queue.job("t")
        async def work(payload: Number) -> None: ...

        follow_up = [follow.job(Number(n=1))]
        one = work.job(Number(n=0), job_id="one", then=follow_up)
        others = [work.job(Number(n=n), job_id=f"n{n}") for n in range(3)]
        await world.store.enqueue(queue, [one, *others])
        keyless = store_on(world.protocol, clock=world.clock, keyring=NO_KEYS)

        report = await world.drain(keyless, budget=30.0).run([queue])
        await keyless.rest.close()

        assert [one.error for one in report.queues] == [None]
        assert (await world.store.stats(queue)).sizes["completed"] == 3
        await world.clock.sleep(HANDED_OUT_AGAIN)
        await world.drained(queue, secret)
        assert (await world.store.stats(secret)).sizes["completed"] == 1

    play(story)


def test_a_schedule_on_a_queue_without_its_secret_stops_no_other_queue(play: Play[None]) -> None:
    async def story(world: World) -> None:
        secret, queue = world.app.queue("secret", encrypt=True), world.queue()

        @secret.job("s")
        async def follow(payload: Number) -> None: ...

        world.app.schedule("each", follow, Number(n=1), every=60)
        keyless = store_on(world.protocol, clock=world.clock, keyring=NO_KEYS)
        await world.enqueue(queue, 3)

        for _ in range(3):
            await world.drain(keyless, budget=30.0).tick()
            await world.clock.sleep(60)
        await keyless.rest.close()

        assert (await world.store.stats(queue)).sizes["completed"] == 3
        await world.drain(budget=30.0).tick()  # one that has the secret
        assert (await world.store.stats(secret)).sizes["completed"] > 0

    play(story)


def test_an_older_deployment_leaves_the_end_of_an_unknown_type_to_the_newer_one(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        queue, followed = world.app.queue("q"), list[str]()

        @queue.job("t")
        async def work(payload: Number) -> None: ...

        @work.on_completed
        async def done(end: Completed[Number]) -> None:
            followed.append(end.id)

        await work.enqueue(Number(n=0), job_id="one")
        await die(world, queue, after="decide")
        older = App("older")
        old_queue = older.queue("q")

        await _drain(world, older, [old_queue])
        assert (await world.store.inspect(queue, "one")).state == "parked"
        await world.clock.sleep(1000)
        await world.drained(queue)

        assert followed == ["one.q"]

    play(story)


async def _drain(world: World, app: App, queues: Sequence[Queue]) -> None:
    budget = Budget.of(30.0, clock=world.clock)
    await Drain(world.store, Registry([app]), budget).run(queues)


def test_a_parked_job_whose_end_is_decided_is_only_finished_by_a_redrive(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue, out = world.app.queue("q", encrypt=True), world.app.queue("out")
        runs: list[int] = []

        @queue.job("t")
        async def work(payload: Number, job: JobContext) -> None:
            runs.append(job.attempt)

        @out.job("o")
        async def other(payload: Number) -> None: ...

        await work.enqueue(Number(n=0), job_id="one", then=[other.job(Number(n=1))])
        await die(world, queue, before="done")
        keyless = store_on(world.protocol, clock=world.clock, keyring=NO_KEYS)
        await world.drain(keyless, budget=30.0).run([queue])
        await keyless.rest.close()
        assert (await world.store.inspect(queue, "one")).state == "parked"

        assert await world.store.redrive(queue, ["one"]) == [True]
        await world.drained(queue)

        assert (await world.store.inspect(queue, "one")).state == "completed"
        assert (runs, (await world.store.stats(out)).sizes["normal"]) == ([1], 1)

    play(story)


@pytest.mark.parametrize("seconds", [5.0, 6.5, 7.0, 8.0])
@pytest.mark.parametrize("answer", ["502", "none"])
def test_a_store_that_takes_no_follow_up_costs_no_time_beyond_the_budget(
    play: Play[None], seconds: float, answer: str
) -> None:
    async def story(world: World) -> None:
        out, queue = world.app.queue("out"), world.app.queue("q")

        @out.job("o")
        async def other(payload: Number) -> None: ...

        @queue.job("t", timeout=20)
        async def work(payload: Number) -> None:
            await asyncio.sleep(seconds)

        await work.enqueue(Number(n=3), then=[other.job(Number(n=1))])
        client = world.client()
        transport = world.transports[-1]
        send = transport.handle_async_request

        async def handle(request: httpx.Request) -> httpx.Response:
            if b"{test:out}" not in request.content:
                return await send(request)
            if answer == "502":
                return httpx.Response(502, text="bad gateway")
            await world.clock.sleep(5)
            raise httpx.ReadTimeout("no answer", request=request)

        transport.handle_async_request = handle  # type: ignore[method-assign]  # one fault only
        began = world.clock.monotonic()
        await world.drain(client, budget=10.0).run([queue])

        assert world.clock.monotonic() - began <= 10.0

    play(story)
