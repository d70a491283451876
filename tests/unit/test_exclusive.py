"""The lock that lets a suspect run by itself, and waits that an event or a time limit can end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from shared.drain.exclusive import EXCLUSIVE_WAIT, REST_FACTOR, ExclusiveHold, SharedExclusiveLock
from shared.drain.waiting import race, wait_for_event
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


async def test_an_exclusive_waiter_waits_for_shared_holders_and_goes_before_new_ones() -> None:
    lock = SharedExclusiveLock()
    lock.acquire_shared()
    lock.acquire_shared()
    taking = await begun(lock.acquire_exclusive())
    entering = await begun(lock.wait_shared())
    lock.release_shared()
    await settled()

    assert (lock.reserved, lock.try_acquire_exclusive()) == (True, False)
    assert (taking.done(), entering.done()) == (False, False)

    lock.release_shared()
    await asyncio.wait_for(taking, 1)
    assert not entering.done()

    lock.release_exclusive()
    await asyncio.wait_for(entering, 1)
    assert not lock.reserved


async def test_two_exclusive_holders_hold_one_after_the_other() -> None:
    lock = SharedExclusiveLock()
    await lock.acquire_exclusive()
    second = await begun(lock.acquire_exclusive())
    assert not second.done()

    lock.release_exclusive()
    await asyncio.wait_for(second, 1)

    assert lock.reserved is True


async def test_a_cancelled_exclusive_waiter_blocks_no_shared_holder() -> None:
    lock = SharedExclusiveLock()
    lock.acquire_shared()
    taking = await begun(lock.acquire_exclusive())
    entering = await begun(lock.wait_shared())

    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking

    await asyncio.wait_for(entering, 1)
    assert lock.reserved is False


async def test_the_lock_is_exclusive_at_once_only_if_nothing_holds_it() -> None:
    lock = SharedExclusiveLock()
    lock.acquire_shared()
    assert not lock.try_acquire_exclusive()

    lock.release_shared()

    assert lock.try_acquire_exclusive()
    assert not lock.try_acquire_exclusive()


def test_after_others_have_waited_an_exclusive_holder_rests() -> None:
    lock, clock = SharedExclusiveLock(), FakeClock()

    async def story() -> None:
        assert lock.try_acquire_exclusive()
        entering = await begun(lock.wait_shared())
        await asyncio.sleep(4)
        lock.release_exclusive()
        await entering
        assert lock.rest() == pytest.approx(4 * REST_FACTOR)
        assert not lock.try_acquire_exclusive()
        assert await lock.acquire_exclusive()
        lock.release_exclusive()  # no other holder has waited
        assert lock.rest() == 0

    run_virtually(story(), clock)

    assert clock.monotonic() == pytest.approx(4 + 4 * REST_FACTOR, abs=0.001)


def test_an_exclusive_waiter_gives_up_and_rests_while_a_holder_goes_on() -> None:
    lock, clock = SharedExclusiveLock(), FakeClock()

    async def story() -> None:
        lock.acquire_shared()
        assert not await lock.acquire_exclusive()
        assert lock.rest() == pytest.approx(EXCLUSIVE_WAIT * REST_FACTOR)
        assert not lock.reserved

    run_virtually(story(), clock)


async def test_one_consumer_at_a_time_prepares_for_the_lock() -> None:
    lock = SharedExclusiveLock()
    mine, other = ExclusiveHold(lock), ExclusiveHold(lock)

    assert (mine.prepare(), other.prepare(), mine.prepare()) == (True, False, True)
    other.release()
    assert not other.prepare()
    mine.release()
    assert other.prepare()


async def test_an_exclusive_hold_belongs_to_one_consumer_until_its_release() -> None:
    lock = SharedExclusiveLock()
    mine, other = ExclusiveHold(lock), ExclusiveHold(lock)

    assert (mine.try_acquire(), mine.try_acquire(), other.try_acquire()) == (True, True, False)
    other.release()  # was never held: the other hold stays
    assert lock.reserved is True
    mine.release()

    assert (lock.reserved, other.try_acquire()) == (False, True)
    mine.release()  # once more, harmless
    assert (mine.try_acquire(), other.try_acquire()) == (False, True)


async def test_an_exclusive_hold_is_acquired_unless_an_interrupt_comes() -> None:
    lock, interrupt = SharedExclusiveLock(), asyncio.Event()
    hold = ExclusiveHold(lock)
    lock.acquire_shared()

    waiting = await begun(hold.acquire(interrupt, 60))
    interrupt.set()
    await asyncio.wait_for(waiting, 1)
    await settled()
    assert (hold.try_acquire(), lock.reserved) == (False, False)

    waiting = await begun(
        hold.acquire(interrupt, 60)
    )  # an event that was set before does not count
    assert not waiting.done()
    lock.release_shared()
    await asyncio.wait_for(waiting, 1)
    assert (hold.try_acquire(), lock.reserved) == (True, True)

    await asyncio.wait_for(hold.acquire(interrupt, 60), 1)  # held already
    assert hold.try_acquire() is True


def test_an_exclusive_hold_is_not_waited_for_beyond_its_time() -> None:
    clock, lock = FakeClock(), SharedExclusiveLock()
    hold = ExclusiveHold(lock)

    async def story() -> None:
        lock.acquire_shared()
        await hold.acquire(asyncio.Event(), 7)

    run_virtually(story(), clock)

    assert clock.monotonic() == pytest.approx(7, abs=0.001)
    assert (hold.try_acquire(), lock.reserved) == (False, False)


async def test_a_race_that_the_event_wins_cancels_the_coroutine() -> None:
    event, never = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        try:
            await never.wait()
        except asyncio.CancelledError:
            never.set()
            raise

    waiting = await begun(race(endless(), event))
    assert not waiting.done()
    event.set()

    assert await asyncio.wait_for(waiting, 1) is False
    await settled()
    assert never.is_set()


async def test_a_race_that_the_coroutine_wins_leaves_no_task() -> None:
    assert await asyncio.wait_for(race(asyncio.sleep(0), asyncio.Event()), 1) is True
    await settled()
    assert asyncio.all_tasks() == {asyncio.current_task()}  # no task waits for the event


@pytest.mark.parametrize(("seconds", "waited"), [(7.0, 7.0), (0.0, 0.0), (-3.0, 0.0)])
def test_an_event_is_waited_for_so_many_seconds(seconds: float, waited: float) -> None:
    clock = FakeClock()

    run_virtually(wait_for_event(asyncio.Event(), seconds), clock)

    assert clock.monotonic() == pytest.approx(waited, abs=0.001)


def test_an_event_that_is_set_is_not_waited_for() -> None:
    clock, event = FakeClock(), asyncio.Event()
    event.set()

    run_virtually(wait_for_event(event, 7.0), clock)

    assert clock.monotonic() == 0
