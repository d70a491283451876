"""Work that handlers enqueue is done by the same tick, as far as its budget goes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from shared import App, RateLimit
from shared.declare.app import Registry
from shared.declare.default_store import set_default_store
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.drain.resources import SYNC_THREADS
from shared.store import Store
from tests.faults.conftest import Play
from tests.support.values import Number
from tests.support.world import Answer, World


class Step(BaseModel):
    left: int


app = App("chain")
steps = app.queue("steps")
slow = app.queue("slow", limit=RateLimit(1, per=3600))


@steps.job("step")
async def step(payload: Step) -> None:
    if payload.left:
        await (step if payload.left % 2 else pause).enqueue(Step(left=payload.left - 1))


@slow.job("pause")
async def pause(payload: Step) -> None:
    await step.enqueue(Step(left=payload.left - 1))


def drain(store: Store) -> Drain:
    return Drain(store, Registry([app]), Budget.of(30), patience=0, sweep_every=0)


async def test_a_tick_goes_on_with_what_its_handlers_enqueued(store: Store) -> None:
    set_default_store(lambda: store)
    await step.enqueue(Step(left=3))

    report = await drain(store).tick()

    assert report.outcomes == {
        "done": 4
    }  # step 3 and step 2 of one consumer, then pause, then step 0
    assert report.stop == "empty"


async def test_a_report_has_what_the_drain_used_and_is_logged(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    set_default_store(lambda: store)
    await step.enqueue(Step(left=0))
    before = store.meter.snapshot()

    with caplog.at_level("INFO", logger="tidegate.drain"):
        report = await drain(store).tick()

    used = store.meter.since(before)
    assert (report.requests, report.commands) == (used.requests, used.commands)
    assert report.bytes == used.bytes_in + used.bytes_out > 0
    (line,) = caplog.records
    assert (line.getMessage(), vars(line)["report"]) == ("drained", report.as_dict())


async def test_sync_handlers_that_hang_hold_no_report_back_and_none_begins_after_it(
    store: Store,
) -> None:
    queue = App("hanging").queue("hanging")
    began: list[int] = []
    ended: list[int] = []
    go_on = threading.Event()

    @queue.job("hang")
    def hang(payload: Step) -> None:
        began.append(payload.left)
        go_on.wait(3)
        ended.append(payload.left)

    await store.enqueue(queue, [hang.job(Step(left=i)) for i in range(SYNC_THREADS + 1)])
    drains = Drain(store, Registry([]), Budget.of(0.4), patience=0)
    try:
        await drains.run([queue])
        assert (len(began), ended) == (SYNC_THREADS, [])
    finally:
        go_on.set()
        for thread in threading.enumerate():
            if thread.name.startswith("handler"):
                thread.join(3)

    assert len(began) == len(ended) == SYNC_THREADS


async def test_a_tick_does_not_wait_for_what_is_limited(store: Store) -> None:
    set_default_store(lambda: store)
    await step.enqueue(Step(left=5))

    report = await drain(store).tick()

    assert (await store.stats(slow)).waiting == 1
    assert report.stop == "limited"


@pytest.mark.parametrize("reason", ["stopped", "no-time-left", "store-refuses"])
def test_a_tick_that_is_over_leaves_what_its_handlers_enqueued(
    play: Play[None], reason: str
) -> None:
    async def story(world: World) -> None:
        first, second = world.app.queue("first"), world.queue("second")
        enqueued: list[str] = []

        def answers() -> Iterator[Answer | None]:
            while not enqueued or reason != "store-refuses":
                yield None
            yield 400, {"error": "ERR max requests limit exceeded. Limit: 1"}

        client = world.client(answers=answers())
        drain = world.drain(client, budget=60, patience=0, sweep_every=0)

        @first.job("t")
        async def handle(payload: Number) -> None:
            await client.enqueue(second, [second.types["t"].job(Number())])
            enqueued.append(reason)
            if reason == "stopped":
                drain.stop()
            if reason == "no-time-left":
                await world.clock.sleep(120)

        await world.enqueue(first, 1)
        report = await drain.tick()

        assert {consumer.queue for consumer in report.queues} == {"first"}
        assert (await world.store.stats(second)).waiting == 1

    play(story)
