"""Recovery after a dead function: leases expire, and only the guilty job counts a crash."""

from __future__ import annotations

import pytest

from shared.drain.isolated import MOST_DEATHS
from shared.store import Store
from shared.testing import FakeClock
from tests.support.probe import Probe
from tests.support.records import record
from tests.support.turns import LEASE_MS, Owner, ids, jobs, make_exclusive, numbered, settle
from tests.support.values import Declare

OVER = LEASE_MS / 1000


async def test_jobs_of_a_dead_owner_come_back_as_suspects_with_no_attempt_burnt(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b"))
    await Owner(store, queue, "dead").claim()
    await store.enqueue(queue, jobs("c"))
    clock.advance(OVER)

    await Owner(store, queue).turn(0)

    suspect = record(fence=1, reason="suspect", since=clock.epoch_ms())
    assert await probe.snapshot() == {
        "records": {"a": suspect, "b": suspect, "c": record()},
        "normal": ["a", "b", "c"],
        "agenda": {"q": 1},
    }
    assert await probe.totals() == {"claimed": 2, "crashed": 2}


async def test_suspects_run_together_after_their_first_crash(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, numbered(5))
    await Owner(store, queue, "dead").claim()
    clock.advance(OVER)

    claims = await Owner(store, queue).claim()

    assert ids(claims) == [f"j{i:03}" for i in range(5)]
    assert not any(claim.exclusive for claim in claims)


async def test_an_outcome_between_two_crashes_clears_the_suspicion(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    await Owner(store, queue, "dead").claim()
    clock.advance(OVER)
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim(), kind="retry")
    await Owner(store, queue, "dead2").claim()
    clock.advance(OVER)

    (claim,) = await Owner(store, queue, "o3").claim()

    assert not claim.exclusive


async def test_jobs_that_crash_twice_in_a_row_run_exclusively(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b"))

    await make_exclusive(store, queue, clock)

    exclusive = record(fence=2, reason="exclusive", since=clock.epoch_ms())
    assert await probe.snapshot() == {
        "records": {"a": exclusive, "b": exclusive},
        "suspects": ["a", "b"],
        "agenda": {"q": 1},
        "scalars": {"suspects": "2"},
    }


async def test_a_lease_holds_to_the_millisecond(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    await Owner(store, queue, "dead").claim()
    clock.advance(OVER - 0.001)
    assert await Owner(store, queue, "o2").claim() == []
    clock.advance(0.001)

    assert ids(await Owner(store, queue, "o3").claim()) == ["a"]


async def test_suspects_are_handed_out_one_by_one_and_before_the_rest(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b"))
    await make_exclusive(store, queue, clock)
    await store.enqueue(queue, jobs("c", "d"))
    owner = Owner(store, queue)

    first = await owner.turn()
    second = await owner.turn(10, [settle(claim) for claim in first.claims])
    third = await owner.turn(10, [settle(claim) for claim in second.claims])

    assert [ids(r.claims) for r in (first, second, third)] == [["a"], ["b"], ["c", "d"]]
    assert [c.exclusive for c in (*first.claims, *second.claims, *third.claims)] == [
        *[True, True],
        *[False, False],
    ]
    assert first.reason == second.reason == "suspect"


async def test_a_function_that_runs_other_jobs_gets_no_suspect_but_is_not_held_up(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    await make_exclusive(store, queue, clock)
    await store.enqueue(queue, jobs("c"))

    assert ids(await Owner(store, queue).claim(exclusive=False)) == ["c"]


async def test_three_exclusive_crashes_are_the_end_and_neighbours_lose_nothing(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("n1", "poison", "n2"))
    await make_exclusive(store, queue, clock)
    for i in range(20):
        clock.advance(OVER)
        owner = Owner(store, queue, f"d{i}")
        while claims := await owner.claim():
            if "poison" in ids(claims):
                break  # the process is gone
            await owner.finish(*claims)

    records = (await probe.snapshot())["records"]
    assert records == {
        "n1": record("c", fence=3, attempts=1),
        "n2": record("c", fence=3, attempts=1),
        "poison": record("x", fence=5, crashes=MOST_DEATHS, reason="crashed"),
    }
    assert MOST_DEATHS == 3  # as the documents say, of a child process and of a function
    assert await probe.ids("q", "dead") == ["poison"]
    assert (await probe.totals())["dead"] == 1


async def test_a_suspect_released_unstarted_is_still_a_suspect_and_not_blamed(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    await make_exclusive(store, queue, clock)
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim(), kind="release")

    (claim,) = await owner.claim()

    assert (claim.exclusive, claim.crashes, claim.attempts) == (True, 0, 0)


async def test_a_suspect_that_fails_in_the_ordinary_way_is_cleared(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    await make_exclusive(store, queue, clock)
    owner = Owner(store, queue)
    await owner.turn(0, [settle(claim, "retry", 1000) for claim in await owner.claim()])
    clock.advance(1)

    (claim,) = await owner.claim()

    assert (claim.exclusive, claim.attempts, claim.crashes) == (False, 1, 0)


async def test_more_dead_leases_than_a_page_come_back_over_several_turns(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, numbered(250))
    await Owner(store, queue, "dead").claim(250)
    clock.advance(OVER)
    owner = Owner(store, queue)
    for _ in range(3):
        await owner.turn(0)

    assert len(await probe.ids("q", "normal")) == 250
    assert await probe.ids("q", "active") == []


async def test_an_undecodable_record_does_not_stop_the_recovery_of_the_others(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, numbered(120))
    await Owner(store, queue, "dead").claim(120)
    for i in range(110):
        await probe.replace("q", f"j{i:03}", "rubbish")
    clock.advance(OVER)
    owner = Owner(store, queue)
    for _ in range(2):
        await owner.turn(0)

    assert await probe.ids("q", "normal") == [f"j{i:03}" for i in range(110, 120)]
    assert (await probe.totals())["lost"] == 110


async def test_a_cancelled_job_whose_function_died_is_cancelled_then(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    await Owner(store, queue, "dead").claim()
    assert await store.cancel(queue, "a") == "cancel_requested"
    clock.advance(OVER)

    await Owner(store, queue).turn()

    assert await probe.ids("q", "cancelled") == ["a"]
    assert (await probe.scalars())["cancel"] == ""


async def test_a_lost_suspect_does_not_hide_the_jobs_that_wait(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    await make_exclusive(store, queue, clock)
    await store.enqueue(queue, jobs("b"))
    await probe.run("DEL", probe.key("q", "suspects"))
    owner = Owner(store, queue)

    vain = await owner.turn()

    assert vain.claims == []
    assert await probe.read("q", "agenda") == {"q": 1}
    assert ids(await owner.claim()) == ["b"]


async def test_a_store_clock_that_steps_back_ends_no_lease_early_and_revives_none(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    owner = Owner(store, queue)
    (claim,) = await owner.claim()
    clock.step(-1800)

    reply = await Owner(store, queue, "o2").turn()

    assert reply.claims == []
    assert reply.now_ms == (await probe.read("q", "active"))[claim.lease] - LEASE_MS
    assert (await owner.finish(claim)).stale == frozenset()


async def test_a_clock_that_had_run_a_day_ahead_does_not_stop_the_queue_for_a_day(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    clock.step(86_400)
    await Owner(store, queue).turn()
    clock.step(-86_400)
    await store.enqueue(queue, jobs("a", delay_ms=1000))
    clock.advance(1)

    assert ids(await Owner(store, queue, "o2").claim()) == ["a"]


@pytest.mark.parametrize("ahead", [7200, 864_000])
async def test_a_lease_of_a_clock_that_had_run_ahead_ends_soon(
    store: Store, declare: Declare, clock: FakeClock, ahead: int
) -> None:
    queue = declare(concurrency=1)
    await store.enqueue(queue, jobs("a", "b"))
    clock.step(ahead)
    (claim,) = await Owner(store, queue, "dead").claim(1)
    clock.step(-ahead)

    assert (await Owner(store, queue, "o2").turn()).reason == "full"
    clock.advance(LEASE_MS / 1000)
    assert ids(await Owner(store, queue, "o3").claim(1)) == [claim.id]
