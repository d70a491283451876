"""The end of a drain, by SIGTERM or by its window: what has finished is settled first."""

from __future__ import annotations

import asyncio

from shared import JobContext
from shared.observe.explain import explain
from tests.faults.conftest import Play
from tests.support.values import Number
from tests.support.world import World


def test_obedient_handlers_are_given_back_before_a_stubborn_one_is_waited_for(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")
        let_go = asyncio.Event()

        @queue.job("t")
        async def handle(payload: Number, job: JobContext) -> None:
            while not let_go.is_set():
                try:
                    await let_go.wait()
                except asyncio.CancelledError:
                    if payload.n:
                        raise

        ids = await world.enqueue(queue, 10)
        drain = world.drain()
        draining = asyncio.create_task(drain.run([queue]))
        await world.clock.sleep(1)
        drain.stop()
        await world.clock.sleep(0.2)
        waiting = await world.probe.ids("q", "normal")
        report = await draining
        let_go.set()

        assert sorted(waiting) == ids[1:]
        assert (report.stop, report.outcomes) == ("shutdown", {"released": 10})
        assert report.seconds_used < 3

    play(story)


def test_a_thread_that_runs_on_does_not_hold_up_the_report(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")

        @queue.job("t")
        def handle(payload: Number) -> None:
            world.occupy(25)

        await world.enqueue(queue, 1)
        report = await world.drained(queue, budget=3)
        view = await world.store.inspect(queue, "j0000")
        await world.clock.sleep(30)

        assert (report.outcomes, report.seconds_used <= 3) == ({"released": 1}, True)
        assert view.state == "delayed"
        assert view.at_ms - view.now_ms > 40_000
        assert "its thread may run on" in explain(view)[0].detail

    play(story)
