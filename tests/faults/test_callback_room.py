"""Callbacks under way are bounded, by process and by host: a slow receiver holds no drain."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from shared import fetch
from shared.callbacks import room as bounds
from shared.callbacks.room import MOST, MOST_OF_HOST, Room
from shared.config.callbacks import VARIABLE
from shared.errors import Snooze
from tests.support.values import Number
from tests.support.world import World

SLOW, FAST = "https://93.184.216.34/slow", "https://93.184.216.35/fast"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "WAIT", 0.0)


async def test_one_host_takes_its_part_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room()
    async with AsyncExitStack() as held:
        for _ in range(MOST_OF_HOST):
            await held.enter_async_context(room.for_call("a"))
        with pytest.raises(Snooze):
            await held.enter_async_context(room.for_call("a"))
        async with room.for_call("b"):
            pass
    async with room.for_call("a"):
        pass


async def test_all_hosts_together_take_what_there_is() -> None:
    room = Room()
    async with AsyncExitStack() as held:
        for number in range(MOST):
            await held.enter_async_context(room.for_call(f"host-{number}"))
        with pytest.raises(Snooze):
            await held.enter_async_context(room.for_call("one more"))
    async with room.for_call("one more"):
        pass


async def test_hosts_without_a_call_are_forgotten() -> None:
    room = Room()
    for number in range(1000):
        async with room.for_call(f"host-{number}"):
            assert len(room._hosts) == 1  # noqa: SLF001 - what it keeps is seen nowhere else


async def test_a_call_that_waits_gets_the_place_of_one_that_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "WAIT", 60.0)
    room, ended = Room(), asyncio.Event()

    async def call() -> None:
        async with room.for_call("a"):
            await ended.wait()

    calls = [asyncio.create_task(call()) for _ in range(3 * MOST_OF_HOST)]
    await asyncio.sleep(0)
    ended.set()
    await asyncio.gather(*calls)


async def test_a_slow_receiver_holds_eight_and_the_others_are_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "whsec_" + "QUFB" * 8)
    under_way, called = 0, list[str]()
    done = asyncio.Event()

    async def post(url: str, content: bytes, headers: object, *, timeout: float) -> None:
        nonlocal under_way
        under_way += url == SLOW
        assert under_way <= MOST_OF_HOST
        called.append(url)
        if url == SLOW:
            await done.wait()
        else:
            done.set()

    monkeypatch.setattr(fetch, "post", post)
    queue = world.queue()
    slow = [queue.types["t"].job(Number(), callback=SLOW) for _ in range(30)]
    fast = queue.types["t"].job(Number(), callback=FAST)
    await world.store.enqueue(queue, [*slow, fast])

    report = await world.drain(budget=50, patience=0).tick()

    assert called.count(SLOW) == MOST_OF_HOST
    assert called.count(FAST) == 1
    assert report.outcomes == {"done": 31 + 1 + MOST_OF_HOST, "snoozed": 30 - MOST_OF_HOST}
