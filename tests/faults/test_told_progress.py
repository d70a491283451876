"""An end is told with the progress that the job's state shows, however the job came to it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from shared import Completed, Dead, Discard, JobContext, Queue, Retry
from shared.config.callbacks import VARIABLE
from shared.declare.queue import JobType
from shared.drain.report import StopReason
from shared.store.events import Event, read_events
from tests.faults.conftest import Play
from tests.support.turns import LEASE_MS, Owner, settle
from tests.support.values import Number
from tests.support.world import World

HOOK = "https://93.184.216.34/hook"


class Shop:
    """A job that reports 50 in its first run only, and jobs that follow it."""

    def __init__(self, world: World, *, dies: bool = False, **options: Any) -> None:
        retry = Retry.fixed(attempts=2, wait=1)
        self.world, self.queue = world, world.app.queue("q", retry=retry, **options)

        @self.queue.job("work")
        async def work(payload: Number, job: JobContext) -> None:
            if job.attempt == 1 and not job.redelivered:
                job.progress(50)
                job.log("half way")
            if payload.n == job.attempt:
                raise ValueError("as planned")
            if dies:
                raise Discard("as planned")

        self.work: JobType[Number] = work

        @world.app.queue("mail", encrypt=options.get("encrypt", False)).job("note")
        async def note(payload: Number) -> None: ...

        self.note: JobType[Number] = note

    async def told(self, job_id: str) -> list[Event]:
        """What has been told of the job after some drains."""
        for _ in range(4):
            await self.world.drained(self.queue, tells_events=True, patience=0)
            await self.world.clock.sleep(2)
        page = await read_events(self.world.store.rest, self.world.store.prefix, None)
        return [event for event in page.events if event.id == job_id]


def options_of(shop: Shop, name: str) -> Mapping[str, Any]:
    then = [shop.note.job(Number(n=8))]
    options: Mapping[str, Mapping[str, Any]] = {
        "then": {"then": then},
        "on_dead": {"on_dead": then},
        "callback": {"callback": HOOK},
    }
    return options.get(name, {})


def declare_handlers(shop: Shop) -> None:
    mail: Queue = shop.world.app.queues["mail"]

    @shop.work.on_completed(queue=mail)
    async def completed(end: Completed[Number]) -> None: ...

    @shop.work.on_dead(queue=mail)
    async def dead(end: Dead[Number]) -> None: ...


@pytest.mark.parametrize("encrypt", [False, True])
@pytest.mark.parametrize("retries", [0, 1])
@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize("follow_up", ["none", "then", "on_dead", "callback", "handlers"])
def test_an_end_is_told_with_the_progress_that_the_job_shows(
    play: Play[None], follow_up: str, dies: bool, retries: int, encrypt: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv(VARIABLE, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    async def story(world: World) -> None:
        shop = Shop(world, dies=dies, encrypt=encrypt)
        if follow_up == "handlers":
            declare_handlers(shop)
        handle = await shop.work.enqueue(Number(n=retries), **options_of(shop, follow_up))
        events = await shop.told(handle.id)
        view = await handle.status()

        assert (view.state, view.progress) == ("dead" if dies else "completed", 50)
        last = "failed" if dies else "completed"
        ends = [event.kind for event in events if event.kind != "progress"]
        assert ends == [*["failed"] * retries, last]
        assert {event.progress for event in events} == {50}

    play(story)


def test_a_job_that_was_given_back_is_told_with_what_it_reported_before(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")

        @queue.job("work")
        async def work(payload: Number, job: JobContext) -> None:
            if not job.redelivered:
                job.progress(50)
                await asyncio.Event().wait()
            job.log("again")

        handle = await work.enqueue(Number())
        drain = world.drain(tells_events=True)
        running = asyncio.create_task(drain.run([queue]))
        await world.clock.sleep(2)
        drain.stop(StopReason.SHUTDOWN)
        await running
        await world.drained(queue, tells_events=True)
        page = await read_events(world.store.rest, world.store.prefix, None)

        assert (await handle.status()).progress == 50
        assert page.events[-1].kind == "completed"
        assert page.events[-1].progress == 50

    play(story)


@pytest.mark.parametrize("crashes", [2, 3])
def test_a_job_whose_functions_died_is_told_with_what_it_reported_before(
    play: Play[None], crashes: int
) -> None:
    async def story(world: World) -> None:
        shop = Shop(world)
        declare_handlers(shop)
        handle = await shop.work.enqueue(Number(n=9))
        first = Owner(world.store, shop.queue, "first")
        (claim,) = await first.claim()
        kept = settle(claim, "keep", history='{"progress":50}')
        await first.turn(0, [kept], events=True)
        await world.clock.sleep(2 * LEASE_MS / 1000)
        for n in range(crashes):
            await Owner(world.store, shop.queue, f"dies{n}").turn(1, events=True)
            await world.clock.sleep(2 * LEASE_MS / 1000)
        last = (await shop.told(handle.id))[-1]
        view = await handle.status()

        assert (view.progress, view.state) == (50, last.state)
        assert (last.kind, last.progress) == (
            "completed" if view.state == "completed" else "failed", 50,
        )  # fmt: skip

    play(story)
