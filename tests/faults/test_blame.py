"""A function that lives and could not reach its store was not the death of its jobs: once it can
reach it again, it says so, and no job is blamed."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from shared import JobContext, JobFailure
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.jobs.claim import Claim
from shared.testing import store_on
from tests.faults.conftest import Play
from tests.support.turns import Owner, jobs, make_exclusive, settle
from tests.support.values import Number
from tests.support.world import World

WINDOW = 300.0
OUTAGE = 70.0
"""Longer than a lease."""
OUTAGES = 6


class Outage(httpx.AsyncBaseTransport):
    """The store can't be reached from one function while its handlers run, and for a time after."""

    def __init__(self, inner: httpx.AsyncBaseTransport, world: World) -> None:
        self._inner, self._world = inner, world
        self.until = 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._world.clock.sleep(0.02)
        if self._world.clock.monotonic() < self.until:
            raise httpx.ConnectError("no route to the store", request=request)
        return await self._inner.handle_async_request(request)


def test_a_healthy_job_survives_any_number_of_outages_of_its_store(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue, outages = world.app.queue("q"), list[Outage]()

        @queue.job("t")
        async def handle(payload: Number, job: JobContext) -> None:
            world.began(job)
            if len(world.ran) <= OUTAGES:
                outages[-1].until = world.clock.monotonic() + OUTAGE
            await world.clock.sleep(1)

        def wrap(inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
            outages.append(Outage(inner, world))
            return outages[-1]

        async def recover() -> None:
            """Another function, whose store is within reach, meets leases that have expired."""
            for n in range(1000):
                await world.clock.sleep(10)
                await Owner(world.store, queue, f"recovers{n}").turn(0)

        await world.enqueue(queue, 1)
        recovering = asyncio.create_task(recover())
        for _ in range(2 * OUTAGES):  # a function a minute
            store = store_on(world.protocol, clock=world.clock, wrap=wrap)
            budget = Budget.of(WINDOW, clock=world.clock)
            await Drain(store, Registry([world.app]), budget).run([queue])
            await store.close()
            await world.clock.sleep(60)
        recovering.cancel()

        assert (await world.store.inspect(queue, "j0000")).state == "completed"
        assert len(world.ran) == OUTAGES + 1
        totals = await world.probe.totals()
        assert (totals["crashed"], totals["done"]) == (OUTAGES, 1)

    play(story)


@pytest.mark.parametrize("crashes", [1, 2, 3])
async def test_each_late_outcome_takes_one_crash_back(world: World, crashes: int) -> None:
    queue = world.app.queue("q")
    await world.store.enqueue(queue, jobs("a"))
    await make_exclusive(world.store, queue, world.clock)
    late: list[tuple[Owner, Claim]] = []
    for n in range(crashes):
        owner = Owner(world.store, queue, f"silent{n}")
        (claim,) = await owner.claim()
        late.append((owner, claim))
        world.clock.advance(31)
        await Owner(world.store, queue, f"recovers{n}").turn(0)
    assert (await world.store.inspect(queue, "a")).state == ("dead" if crashes == 3 else "waiting")

    for owner, claim in late:
        reply = await owner.turn(0, [settle(claim)])
        assert reply.stale == {claim.lease}

    view = await world.store.inspect(queue, "a")
    assert (view.state, view.crashes) == ("waiting", 0)
    assert await world.probe.ids("q", "dead") == []
    (claim,) = await Owner(world.store, queue, "next").claim()
    assert (await Owner(world.store, queue, "next2").turn(0)).stale == frozenset()
    assert claim.crashes == 0


async def test_a_job_that_another_function_runs_meanwhile_keeps_running_with_less_blame(
    world: World,
) -> None:
    queue = world.app.queue("q")
    await world.store.enqueue(queue, jobs("a"))
    await make_exclusive(world.store, queue, world.clock)
    silent, other = Owner(world.store, queue, "silent"), Owner(world.store, queue, "other")
    (late,) = await silent.claim()
    world.clock.advance(31)
    (claim,) = await other.claim()
    assert claim.crashes == 1

    assert (await silent.turn(0, [settle(late)])).stale == {late.lease}

    assert (await world.store.inspect(queue, "a")).crashes == 0
    assert (await other.finish(claim)).stale == frozenset()
    assert (await world.store.inspect(queue, "a")).state == "completed"


async def test_a_first_crash_that_was_none_leaves_no_suspicion(world: World) -> None:
    queue = world.app.queue("q")
    await world.store.enqueue(queue, jobs("a"))
    for n in range(5):  # each time its function is heard again before the next one falls silent
        owner = Owner(world.store, queue, f"silent{n}")
        (late,) = await owner.claim(exclusive=False)
        world.clock.advance(31)
        await Owner(world.store, queue, f"recovers{n}").turn(0)
        await owner.turn(0, [settle(late)])

    assert await world.probe.ids("q", "suspects") == []
    assert len(await Owner(world.store, queue, "next").claim(exclusive=False)) == 1


async def test_a_job_that_kills_its_functions_still_ends_dead(world: World) -> None:
    queue = world.app.queue("q")
    await world.store.enqueue(queue, jobs("poison", "good"))
    for n in range(5):
        await Owner(world.store, queue, f"killed{n}").claim(1)
        world.clock.advance(31)
        await Owner(world.store, queue, f"recovers{n}").turn(0)

    view = await world.store.inspect(queue, "poison")
    assert (view.state, view.reason) == ("dead", "crashed")


def test_a_neighbour_starts_only_after_the_hooks_of_a_suspect(play: Play[None]) -> None:
    """A crash while the hooks run would be counted against the suspect, which ended by itself."""

    async def story(world: World) -> None:
        queue, other = world.app.queue("q"), world.app.queue("r")
        events: list[str] = []

        @queue.job("t")
        async def fail(payload: Number) -> None:
            events.append("suspect")
            raise RuntimeError("an ordinary failure")

        @other.job("t")
        async def handle(payload: Number) -> None:
            events.append("neighbour")

        async def tell(_error: BaseException, _failure: JobFailure) -> None:
            await world.enqueue(other, 1)
            await world.clock.sleep(4)
            events.append("told")

        world.app.on_failure(tell)
        await world.enqueue(queue, 1)
        await make_exclusive(world.store, queue, world.clock)
        await world.enqueue(other, 1)  # its consumer waits beside that of the suspect

        await world.drain(world.client(), budget=60).run([queue, other])

        assert "told" in events
        assert "neighbour" not in events[events.index("suspect") : events.index("told")]

    play(story)
