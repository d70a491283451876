"""cancel, redrive, drop, pause, purge: what an operator does, key by key."""

from __future__ import annotations

import pytest

from shared.errors import JobNotFound
from shared.jobs.job import Guard
from shared.store import Store
from shared.testing import FakeClock
from tests.support.probe import Probe
from tests.support.records import record
from tests.support.turns import LEASE_MS, Owner, ids, jobs, make_exclusive, numbered, settle
from tests.support.values import Declare


@pytest.mark.parametrize("priority", ["high", "normal", "low"])
async def test_a_waiting_job_is_cancelled_at_once(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock, priority: str
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b", priority=priority, dedup=None))

    assert await store.cancel(queue, "a") == "cancelled"

    after = await probe.snapshot()
    assert after["records"]["a"] == record("k", priority=priority[0])
    assert after["cancelled"] == {"a": clock.epoch_ms()}
    assert after[priority] == ["b"]


async def test_a_delayed_job_is_cancelled_at_once_and_frees_its_name(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue, due = declare(), clock.epoch_ms() + 1000
    await store.enqueue(queue, jobs("a", delay_ms=1000, dedup=Guard("dedup:x")))

    assert await store.cancel(queue, "a") == "cancelled"

    assert await probe.snapshot() == {
        "records": {"a": record("k")},
        "cancelled": {"a": clock.epoch_ms()},
        "agenda": {"q": due},
        "scalars": {"due": str(due)},
    }


async def test_a_suspect_is_cancelled_at_once(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b"))
    await make_exclusive(store, queue, clock)

    assert await store.cancel(queue, "a") == "cancelled"

    after = await probe.snapshot()
    assert after["suspects"] == ["b"]
    assert after["scalars"] == {"suspects": "1"}
    assert list(after["cancelled"]) == ["a"]


async def test_a_parked_job_is_cancelled_at_once(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim(), kind="park", delay_ms=60_000)

    assert await store.cancel(queue, "a") == "cancelled"

    after = await probe.snapshot()
    assert "parked" not in after
    assert after["records"] == {"a": record("k", fence=1)}


async def test_a_cancel_of_an_active_job_is_requested_and_reaches_its_drain(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b"))
    owner = Owner(store, queue)
    a, b = await owner.claim()

    assert await store.cancel(queue, "a") == "cancel_requested"
    assert await store.cancel(queue, "a") == "cancel_requested"

    assert (await probe.scalars())["cancel"].split() == ["a"]
    assert (await owner.turn(0)).cancel == {"a"}
    reply = await owner.turn(0, [settle(a, "cancelled"), settle(b)])
    assert reply.cancel == frozenset()
    assert await probe.ids("q", "cancelled") == ["a"]


@pytest.mark.parametrize("kind", ["retry", "release", "snooze", "park"])
async def test_a_job_with_a_cancel_request_does_not_come_back(
    store: Store, probe: Probe, declare: Declare, kind: str
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    owner = Owner(store, queue)
    (claim,) = await owner.claim()
    await store.cancel(queue, "a")

    await owner.turn(0, [settle(claim, kind, 1000)])  # type: ignore[arg-type]

    after = await probe.snapshot()
    assert list(after["cancelled"]) == ["a"]
    assert not {"delayed", "normal", "parked"} & set(after)


@pytest.mark.parametrize(("kind", "home"), [("done", "completed"), ("dead", "dead")])
async def test_a_job_that_ends_before_it_hears_of_its_cancellation_has_ended_so(
    store: Store, probe: Probe, declare: Declare, kind: str, home: str
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    owner = Owner(store, queue)
    (claim,) = await owner.claim()
    await store.cancel(queue, "a")

    await owner.turn(0, [settle(claim, kind)])  # type: ignore[arg-type]

    assert await probe.ids("q", home) == ["a"]
    assert (await probe.scalars())["cancel"] == ""
    assert await store.cancel(queue, "a") == home


async def test_an_unknown_job_can_not_be_cancelled(
    store: Store, probe: Probe, declare: Declare
) -> None:
    with pytest.raises(JobNotFound):
        await store.cancel(declare(), "unknown")

    assert await probe.snapshot() == {}


async def test_a_redriven_job_begins_anew_in_its_priority_and_keeps_its_history(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, [*jobs("a", priority="high"), *jobs("b")])
    owner = Owner(store, queue)
    await owner.turn(0, [settle(c, "dead", 0, '{"errors":[]}') for c in await owner.claim()])

    assert await store.redrive(queue, ["a", "b", "a", "unknown"]) == [True, True, False, False]

    again = {"fence": 1, "redrives": 1, "history": '{"errors":[]}'}
    again["since"] = clock.epoch_ms()
    assert await probe.snapshot() == {
        "records": {"a": record(priority="h", **again), "b": record(**again)},  # type: ignore[arg-type]
        "high": ["a"],
        "normal": ["b"],
        "agenda": {"q": 1},
        "scalars": {"mixed": "1", "expiry": str(clock.epoch_ms() + LEASE_MS)},
    }


async def test_redriving_twice_is_redriving_once(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim(), kind="dead")
    await store.redrive(queue, ["a"])
    before = await probe.snapshot()

    assert await store.redrive(queue, ["a"]) == [False]

    assert await probe.snapshot() == before


async def test_a_crashed_job_has_its_three_crashes_again_after_a_redrive(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    for i in range(5):
        await Owner(store, queue, f"d{i}").claim()
        clock.advance(31)
    await Owner(store, queue, "o").turn()
    await store.redrive(queue, ["a"])

    (claim,) = await Owner(store, queue, "o2").claim()

    assert (claim.attempts, claim.crashes, claim.exclusive) == (0, 0, False)


async def test_a_parked_job_can_be_redriven_before_its_time(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim(), kind="park", delay_ms=900_000)

    assert await store.redrive(queue, ["a"]) == [True]

    assert await probe.read("q", "parked") == {}
    assert ids(await owner.claim()) == ["a"]


async def test_delete_removes_ended_jobs_and_leaves_live_ones_alone(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("dead", "done", "stopped", "active", "waiting"))
    owner = Owner(store, queue)
    claims = await owner.claim(4)
    kinds = ("dead", "done", "cancelled")
    await owner.turn(0, [settle(c, k) for c, k in zip(claims, kinds, strict=False)])  # type: ignore[arg-type]

    verdicts = await store.delete(
        queue, ["dead", "done", "stopped", "active", "waiting", "unknown"]
    )

    expiry = clock.epoch_ms() + LEASE_MS
    assert verdicts == [True, True, True, False, False, False]
    assert await probe.snapshot() == {
        "records": {"active": record(), "waiting": record()},
        "normal": ["waiting"],
        "active": {"active 1 o1 1 0": expiry},
        "agenda": {"q": 1},
        "scalars": {"active": "1", "expiry": str(expiry)},
    }


async def test_delete_with_a_state_leaves_ended_jobs_of_other_states_alone(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("dead", "done", "stopped", "active"))
    owner = Owner(store, queue)
    claims = await owner.claim(4)
    kinds = ("dead", "done", "cancelled")
    await owner.turn(0, [settle(c, k) for c, k in zip(claims, kinds, strict=False)])  # type: ignore[arg-type]
    everything = ["dead", "done", "stopped", "active", "unknown"]

    assert await store.delete(queue, everything, state="dead") == [True, *[False] * 4]
    assert await store.delete(queue, everything, state="dead") == [False] * 5

    assert set(await probe.read("q", "records")) >= {"done", "stopped", "active"}
    assert await probe.read("q", "dead") == {}
    assert list(await probe.read("q", "completed")) == ["done"]
    assert list(await probe.read("q", "cancelled")) == ["stopped"]


async def test_purge_deletes_what_waits_and_what_is_delayed_and_nothing_else(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue, guard = declare(), Guard("dedup:x")
    await store.enqueue(queue, jobs("active", "parked"))
    owner = Owner(store, queue)
    active, parked = await owner.claim()
    await owner.turn(0, [settle(parked, "park", 60_000)])
    await store.enqueue(queue, [*jobs("h", priority="high"), *jobs("l", priority="low")])
    await store.enqueue(queue, [*jobs("n", dedup=guard), *jobs("d", delay_ms=5000)])

    assert await store.purge(queue) == 4

    after = await probe.snapshot()
    assert after["records"] == {"active": record(), "parked": record("p", fence=1)}
    assert set(after) == {"records", "active", "parked", "agenda", "scalars"}
    assert (await owner.finish(active)).stale == frozenset()


async def test_purge_takes_suspects_and_any_number_of_jobs(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, numbered(50))
    await make_exclusive(store, queue, clock, want=50)
    await store.enqueue(queue, numbered(1050, "k"))
    (active,) = await Owner(store, queue).claim(1, exclusive=False)

    assert await store.purge(queue) == 1099

    left = await probe.snapshot()
    assert set(left["records"]) == {active.id}
    assert "suspects" not in left["scalars"]


async def test_purging_an_empty_queue_changes_nothing(
    store: Store, probe: Probe, declare: Declare
) -> None:
    assert await store.purge(declare()) == 0
    assert set(await probe.snapshot()) <= {"records"}


async def test_pausing_says_what_was_before(store: Store, probe: Probe, declare: Declare) -> None:
    queue = declare()

    answers = [await store.pause(queue, paused=paused) for paused in (True, True, False, False)]

    assert answers == [False, True, True, False]
    assert await probe.snapshot() == {"agenda": {"q": 0}}
