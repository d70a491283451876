"""Callbacks under way are bounded, by process and by host: a slow receiver holds no drain."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from shared import fetch
from shared.callbacks import room as bounds
from shared.callbacks.room import (
    MOST,
    MOST_OF_CALLER,
    MOST_OF_QUEUE,
    MOST_OF_SITE,
    WAITING,
    Room,
    site_of,
)
from shared.config.callbacks import VARIABLE
from shared.errors import Snooze
from tests.support.values import Number
from tests.support.world import World

SLOW, FAST = "https://93.184.216.34/slow", "https://93.184.216.35/fast"
ONE_SITE = [
    "https://a.evil.example/",
    "https://b.EVIL.Example/",
    "https://c\u3002evil.example/",
    "https://d.evil\uff0eexample/",
    "https://e\uff61evil\u3002example/",
]
"""Addresses of one site in the letters and dots that IDNA takes for the same."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "WAIT", 0.0)


async def test_one_host_takes_its_part_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room()
    async with AsyncExitStack() as held:
        for _ in range(MOST_OF_SITE):
            await held.enter_async_context(room.for_call("q", "a"))
        with pytest.raises(Snooze):
            await held.enter_async_context(room.for_call("q", "a"))
        async with room.for_call("q", "b"):
            pass
    async with room.for_call("q", "a"):
        pass


async def test_all_hosts_together_take_what_there_is() -> None:
    room = Room()
    async with AsyncExitStack() as held:
        for number in range(MOST):
            await held.enter_async_context(room.for_call(f"q{number}", f"host-{number}"))
        with pytest.raises(Snooze):
            await held.enter_async_context(room.for_call("q", "one more"))
    async with room.for_call("q", "one more"):
        pass


async def test_hosts_without_a_call_are_forgotten() -> None:
    room = Room()
    for number in range(1000):
        async with room.for_call(f"q{number}", f"host-{number}"):
            assert len(room._shares) == 3  # noqa: SLF001 - what it keeps is seen nowhere else


async def test_a_call_that_waits_gets_the_place_of_one_that_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "WAIT", 60.0)
    room, ended = Room(), asyncio.Event()

    made = list[int]()

    async def call(number: int) -> None:
        async with room.for_call("q", "a"):
            made.append(number)
            await ended.wait()

    calls = [asyncio.create_task(call(number)) for number in range(3 * MOST_OF_SITE)]
    await asyncio.sleep(0)
    assert len(made) == MOST_OF_SITE
    ended.set()
    await asyncio.gather(*calls)

    assert made == [*range(3 * MOST_OF_SITE)]


async def test_a_slow_receiver_holds_eight_and_the_others_are_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "whsec_" + "QUFB" * 8)
    under_way, called = 0, list[str]()
    done = asyncio.Event()

    async def post(url: str, content: bytes, headers: object, *, timeout: float) -> None:
        nonlocal under_way
        under_way += url == SLOW
        assert under_way <= MOST_OF_SITE
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

    assert called.count(SLOW) == MOST_OF_SITE
    assert called.count(FAST) == 1
    assert report.outcomes == {"done": 31 + 1 + MOST_OF_SITE, "snoozed": 30 - MOST_OF_SITE}


async def test_a_site_is_one_in_whatever_letters_its_addresses_are(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "whsec_" + "QUFB" * 8)
    called = list[str]()

    async def post(url: str, content: bytes, headers: object, *, timeout: float) -> None:
        called.append(url)
        await asyncio.sleep(0)  # the others come for room meanwhile
        await asyncio.sleep(0.05)

    monkeypatch.setattr(fetch, "post", post)
    monkeypatch.setattr(bounds, "MOST_OF_SITE", 1)
    queue = world.queue()
    jobs = [queue.types["t"].job(Number(), callback=url) for url in ONE_SITE]
    await world.store.enqueue(queue, jobs)

    report = await world.drain(budget=50, patience=0).tick()

    assert len(called) == 1
    assert report.outcomes["snoozed"] == len(ONE_SITE) - 1


async def test_one_queue_takes_its_part_and_no_more() -> None:
    room = Room()
    async with AsyncExitStack() as held:
        for number in range(MOST_OF_QUEUE):
            await held.enter_async_context(room.for_call("q", f"{number}.com"))
        with pytest.raises(Snooze):
            await held.enter_async_context(room.for_call("q", "one.more"))
        async with room.for_call("other", "one.more"):
            pass


async def test_a_caller_with_many_sites_leaves_half_of_a_queue_to_others() -> None:
    room = Room()
    async with AsyncExitStack() as held:
        for number in range(MOST_OF_CALLER):
            await held.enter_async_context(room.for_call("q", f"{number}.com", caller="mallory"))
        for queue in ("q", "other"):
            with pytest.raises(Snooze):
                await held.enter_async_context(room.for_call(queue, "one.more", caller="mallory"))
        for number in range(MOST_OF_QUEUE - MOST_OF_CALLER):
            await held.enter_async_context(room.for_call("q", f"{number}.org", caller="alice"))


@pytest.mark.parametrize(
    ("most", "queue", "caller", "host"),
    [
        (MOST, "q{}", "c{}", "{}.com"),
        (MOST_OF_QUEUE, "q", "c{}", "{}.com"),
        (MOST_OF_CALLER, "q{}", "c", "{}.com"),
        (MOST_OF_SITE, "q{}", "c{}", "a{}.evil.example"),
    ],
)
async def test_no_more_wait_for_room_than_may_find_some(
    most: int, queue: str, caller: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "WAIT", 60.0)
    room, ended, under_way = Room(), asyncio.Event(), 0

    async def call(number: int) -> None:
        nonlocal under_way
        names = [name.format(number) for name in (queue, host, caller)]
        async with room.for_call(names[0], names[1], caller=names[2]):
            under_way += 1
            await ended.wait()

    calls = [asyncio.create_task(call(number)) for number in range(most * (1 + WAITING) + 5)]
    for _ in range(20):
        await asyncio.sleep(0)
    put_off = [one for one in calls if one.done()]
    assert (len(put_off), under_way) == (5, most)
    assert all(isinstance(one.exception(), Snooze) for one in put_off)

    ended.set()
    await asyncio.gather(*(one for one in calls if one not in put_off))
    assert under_way == most * (1 + WAITING)


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("a1.evil.example", "evil.example"),
        ("x.a2.evil.example.", "evil.example"),
        ("evil.example", "evil.example"),
        ("93.184.216.34", "93.184.216.34"),
        ("2606:4700::1111", "2606:4700::1111"),
        ("", ""),
    ],
)
def test_the_names_under_one_domain_are_one_site(host: str, site: str) -> None:
    assert site_of(host) == site


async def test_where_no_answer_comes_nothing_waits_for_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = Room()
    async with AsyncExitStack() as held:
        for _ in range(MOST_OF_SITE):
            await held.enter_async_context(room.for_call("q", "a"))
        monkeypatch.setattr(bounds, "WAIT", -1.0)  # they are under way for longer
        call = held.enter_async_context(room.for_call("q", "a"))

        with pytest.raises(Snooze):
            call.send(None)  # it ends without a single wait


@pytest.mark.parametrize(("waited", "least", "most"), [(0, 20, 40), (60, 60, 120), (9e5, 300, 600)])
async def test_one_without_room_waits_longer_each_time(
    waited: float, least: float, most: float
) -> None:
    room = Room()
    async with AsyncExitStack() as held:
        for _ in range(MOST_OF_SITE):
            await held.enter_async_context(room.for_call("q", "a"))
        with pytest.raises(Snooze) as put_off:
            await held.enter_async_context(room.for_call("q", "a", waited=waited))

    assert least <= put_off.value.seconds <= most


def test_rooms_of_closed_loops_are_dropped() -> None:
    async def call() -> None:
        async with bounds.room().for_call("q", "a"):
            pass

    for _ in range(5):
        asyncio.run(call())

    assert sum(loop.is_closed() for loop in bounds._ROOMS) <= 1  # noqa: SLF001 - seen nowhere else


@pytest.mark.parametrize("by", ["", "token:alice"])
async def test_a_callback_tells_its_caller_and_how_long_it_waits_for_room_already(
    world: World, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    monkeypatch.setenv(VARIABLE, "whsec_" + "QUFB" * 8)
    told = list[float]()

    def for_call(_queue: str, _host: str, *, caller: str, waited: float) -> None:
        assert caller == by
        told.append(waited)
        raise Snooze(max(20.0, waited))

    monkeypatch.setattr(bounds.Room, "for_call", lambda _room, *a, **named: for_call(*a, **named))
    queue = world.queue()
    job = replace(queue.types["t"].job(Number(), callback=SLOW), by=by)
    await world.store.enqueue(queue, [job])
    for _ in range(12):
        await world.drain(budget=50, patience=0).tick()
        world.clock.advance(20)

    assert told[0] == 0.0
    assert 20.0 <= told[1] < 40.0 <= told[2] < told[3]
    assert len(told) <= 5
