"""Who runs alone and who waits for it, and waiting that something else can end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from shared.drain.exclusive import Alone, Seat
from shared.drain.waiting import unless, wait
from shared.testing import FakeClock, run_virtually


async def begun(awaited: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """A task that has gone as far as it gets by itself."""
    task = asyncio.create_task(awaited)
    await settled()
    return task


async def settled() -> None:
    """Let everything go on that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_wants_to_be_alone_waits_for_the_others_and_keeps_new_ones_waiting() -> None:
    alone = Alone()
    alone.enter()
    alone.enter()
    taking = await begun(alone.take())
    entering = await begun(alone.wait_turn())
    alone.leave()
    await settled()

    assert (alone.taken, alone.try_take()) == (True, False)
    assert (taking.done(), entering.done()) == (False, False)

    alone.leave()
    await asyncio.wait_for(taking, 1)
    assert not entering.done()

    alone.release()
    await asyncio.wait_for(entering, 1)
    assert not alone.taken


async def test_two_that_want_to_be_alone_are_so_one_after_the_other() -> None:
    alone = Alone()
    await alone.take()
    second = await begun(alone.take())
    assert not second.done()

    alone.release()
    await asyncio.wait_for(second, 1)

    assert alone.taken is True


async def test_who_gives_up_waiting_to_be_alone_keeps_nobody_waiting() -> None:
    alone = Alone()
    alone.enter()
    taking = await begun(alone.take())
    entering = await begun(alone.wait_turn())

    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking

    await asyncio.wait_for(entering, 1)
    assert alone.taken is False


async def test_alone_at_once_is_only_who_finds_nothing_running() -> None:
    alone = Alone()
    alone.enter()
    assert not alone.try_take()

    alone.leave()

    assert alone.try_take()
    assert not alone.try_take()


async def test_a_seat_is_held_by_one_lane_until_it_leaves() -> None:
    alone = Alone()
    mine, other = Seat(alone), Seat(alone)

    assert (mine.taken(), mine.taken(), other.taken()) == (True, True, False)
    other.leave()  # was never held: takes nothing from the one who holds it
    assert alone.taken is True
    mine.leave()

    assert (alone.taken, other.taken()) == (False, True)
    mine.leave()  # once more, harmless
    assert (mine.taken(), other.taken()) == (False, True)


async def test_a_seat_is_waited_for_unless_something_comes_between() -> None:
    alone, interrupt = Alone(), asyncio.Event()
    seat = Seat(alone)
    alone.enter()

    waiting = await begun(seat.wait(interrupt, 60))
    interrupt.set()
    await asyncio.wait_for(waiting, 1)
    await settled()
    assert (seat.taken(), alone.taken) == (False, False)

    waiting = await begun(seat.wait(interrupt, 60))  # what was set before interrupts nobody now
    assert not waiting.done()
    alone.leave()
    await asyncio.wait_for(waiting, 1)
    assert (seat.taken(), alone.taken) == (True, True)

    await asyncio.wait_for(seat.wait(interrupt, 60), 1)  # held already
    assert seat.taken() is True


def test_a_seat_that_is_not_free_in_time_is_not_waited_for_any_longer() -> None:
    clock, alone = FakeClock(), Alone()
    seat = Seat(alone)

    async def story() -> None:
        alone.enter()
        await seat.wait(asyncio.Event(), 7)

    run_virtually(story(), clock)

    assert clock.monotonic() == pytest.approx(7, abs=0.001)
    assert (seat.taken(), alone.taken) == (False, False)


async def test_what_an_event_overtakes_is_given_up() -> None:
    event, never = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        try:
            await never.wait()
        except asyncio.CancelledError:
            never.set()
            raise

    waiting = await begun(unless(event, endless()))
    assert not waiting.done()
    event.set()

    assert await asyncio.wait_for(waiting, 1) is False
    await settled()
    assert never.is_set()


async def test_what_is_done_before_the_event_is_done() -> None:
    assert await asyncio.wait_for(unless(asyncio.Event(), asyncio.sleep(0)), 1) is True
    await settled()
    assert asyncio.all_tasks() == {asyncio.current_task()}  # nobody waits for the event any more


@pytest.mark.parametrize(("seconds", "waited"), [(7.0, 7.0), (0.0, 0.0), (-3.0, 0.0)])
def test_an_event_is_waited_for_so_many_seconds(seconds: float, waited: float) -> None:
    clock = FakeClock()

    run_virtually(wait(asyncio.Event(), seconds), clock)

    assert clock.monotonic() == pytest.approx(waited, abs=0.001)


def test_an_event_that_is_set_is_not_waited_for() -> None:
    clock, event = FakeClock(), asyncio.Event()
    event.set()

    run_virtually(wait(event, 7.0), clock)

    assert clock.monotonic() == 0
