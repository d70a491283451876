"""The places of consumers: each queue has its turn, the urgent ones most of the places."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import App
from shared.drain.places import BY_TURN, OPEN_CONSUMERS, Due, Places
from shared.jobs.job import PRIORITIES, Priority


def due_queues(high: int, normal: int, low: int) -> list[Due]:
    app, numbers = App("a"), zip(PRIORITIES, (high, normal, low), strict=True)
    return [
        (app.queue(f"{priority}{i}", priority=priority), i % 2 == 0)
        for priority, number in numbers
        for i in range(number)
    ]


def names(due: list[Due]) -> list[str]:
    return [queue.name for queue, _ in due]


NUMBERS = st.integers(0, 90)


@given(high=NUMBERS, normal=NUMBERS, low=NUMBERS, by=st.integers(0, 2**42), suspect=NUMBERS)
def test_each_queue_asks_once_and_the_most_urgent_ones_first(
    high: int, normal: int, low: int, by: int, suspect: int
) -> None:
    due = due_queues(high, normal, low)
    suspects = {f"low{suspect}"}

    line = Places(due, suspects, by).line

    assert sorted(names(line)) == sorted(names(due))
    assert dict(due) == dict(line)
    first = line[: OPEN_CONSUMERS - BY_TURN]
    ranks = [(queue.name not in suspects, PRIORITIES.index(queue.priority)) for queue, _ in due]
    assert [(q.name not in suspects, PRIORITIES.index(q.priority)) for q, _ in first] == sorted(
        ranks
    )[: len(first)]
    if len(due) <= OPEN_CONSUMERS - BY_TURN:
        assert names(line) == sorted(names(due), key=lambda name: name not in suspects)


async def hold_for_good(places: Places, busy: Priority, served: Counter[str]) -> None:
    """Consumers of this priority hold their places for the whole drain, others at once end."""

    async def consume(name: str) -> None:
        async with places.place(name):
            served[name] += 1
            if name.startswith(busy):
                await asyncio.Event().wait()

    tasks = [asyncio.create_task(consume(queue.name)) for queue, _ in places.line]
    for _ in range(len(tasks) + 2):
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("busy", [1, 55, 57, 64, 65, 150])
@pytest.mark.parametrize(("normal", "low"), [(1, 0), (0, 1), (20, 20)])
async def test_no_number_of_busy_urgent_queues_starves_another(
    busy: int, normal: int, low: int
) -> None:
    due, served = due_queues(busy, normal, low), Counter[str]()
    drains = 4 * (busy + normal + low) // BY_TURN + 2

    for drain in range(drains):
        await hold_for_good(Places(due, (), by=1_800_000_000_000 + drain * 61_003), "high", served)
        if len(served) == len(due):
            break

    assert set(served) == set(names(due))


async def test_each_place_is_given_back_and_taken_again() -> None:
    due, open_now, most = due_queues(100, 100, 100), 0, 0
    places = Places(due, (), by=7)

    async def consume(name: str) -> None:
        nonlocal open_now, most
        async with places.place(name):
            open_now += 1
            most = max(most, open_now)
            await asyncio.sleep(0)
            open_now -= 1

    for _ in range(2):
        await asyncio.gather(*(consume(queue.name) for queue, _ in places.line))

    assert (open_now, most) == (0, OPEN_CONSUMERS)


@pytest.mark.parametrize("cancelled", [0, 50, 100])
async def test_a_consumer_that_was_cancelled_while_it_waited_takes_no_place(cancelled: int) -> None:
    places, served = Places(due_queues(164, 0, 0), (), by=1), list[str]()
    release = asyncio.Event()

    async def consume(name: str) -> None:
        async with places.place(name):
            served.append(name)
            await release.wait()

    tasks = [asyncio.create_task(consume(queue.name)) for queue, _ in places.line]
    await asyncio.sleep(0)
    for task in tasks[OPEN_CONSUMERS : OPEN_CONSUMERS + cancelled]:
        task.cancel()
    release.set()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert len(served) == 164 - cancelled
