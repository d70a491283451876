"""turn, its claiming half: order, priorities and their aging, tokens, concurrency, size."""

from __future__ import annotations

import pytest

from shared import RateLimit
from shared.jobs.job import Job
from shared.jobs.outcome import Kind
from shared.store import Store, keys
from shared.store.turn import CLAIM_MAX_BYTES
from shared.testing import FakeClock
from tests.support.probe import Probe
from tests.support.records import record
from tests.support.turns import LEASE_MS, Owner, ids, jobs, numbered, settle
from tests.support.values import Declare


async def test_a_claim_is_a_lease_and_nothing_else(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b", "c"))

    reply = await Owner(store, queue).turn(2)

    expiry = clock.epoch_ms() + LEASE_MS
    assert [(c.id, c.fence, c.attempts, c.crashes, c.exclusive) for c in reply.claims] == [
        ("a", 1, 0, 0, False),
        ("b", 1, 0, 0, False),
    ]
    assert (reply.reason, reply.wait_ms, reply.now_ms) == ("more", 0, clock.epoch_ms())
    assert await probe.snapshot() == {
        "records": {"a": record(), "b": record(), "c": record()},
        "normal": ["c"],
        "active": {"a 1 o1 1 0": expiry, "b 1 o1 1 0": expiry},
        "agenda": {"q": 1},
        "scalars": {"expiry": str(expiry), "active": "2"},
    }


async def test_jobs_of_one_priority_come_in_the_order_of_their_enqueue(
    store: Store, declare: Declare
) -> None:
    queue = declare()
    batch = numbered(50)
    for job in batch:
        await store.enqueue(queue, [job])
    owner = Owner(store, queue)

    claimed = [job_id for _ in range(8) for job_id in ids(await owner.claim(7))]

    assert claimed == [job.id for job in batch]


async def test_high_goes_before_normal_and_normal_before_low(
    store: Store, declare: Declare
) -> None:
    queue = declare()
    for priority in ("low", "normal", "high"):
        await store.enqueue(queue, jobs(f"{priority}-1", f"{priority}-2", priority=priority))

    claims = await Owner(store, queue).claim(5)

    assert ids(claims) == ["high-1", "high-2", "normal-1", "normal-2", "low-1"]


@pytest.mark.parametrize("between", ["nothing", "settling", "tokenless"])
async def test_a_flood_of_high_jobs_does_not_starve_the_low_ones(
    store: Store, declare: Declare, clock: FakeClock, between: str
) -> None:
    queue = declare(limit=RateLimit(1000, burst=1000) if between == "tokenless" else None)
    await store.enqueue(queue, numbered(60, "h", priority="high"))
    await store.enqueue(queue, [*jobs("n"), *jobs("low", priority="low")])
    owner, starts = Owner(store, queue), []
    for _ in range(8):
        claims = await owner.claim(3)
        starts.append(ids(claims))
        if between != "nothing":
            await owner.finish(*claims)

    assert starts[3][0] == "n"
    assert starts[7][0] == "low"


async def test_a_released_job_is_first_in_line_again_and_in_order(
    store: Store, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b", "c", "d"))
    owner = Owner(store, queue)
    claims = await owner.claim(3)

    reply = await owner.turn(10, [settle(claim, "release") for claim in claims])

    assert ids(reply.claims) == ["a", "b", "c", "d"]
    assert [claim.fence for claim in reply.claims] == [2, 2, 2, 1]
    assert {claim.attempts for claim in reply.claims} == {0}


@pytest.mark.parametrize(("kind", "delay"), [("release", 0), ("retry", 0), ("snooze", 0)])
async def test_a_priority_list_that_a_settle_refills_is_read_again(
    store: Store, declare: Declare, kind: str, delay: int
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", priority="high"))
    owner = Owner(store, queue)
    (claim,) = await owner.claim()
    assert (await owner.turn(5)).reason == "empty"  # all priorities are seen empty
    await owner.turn(0, [settle(claim, kind, delay)])  # type: ignore[arg-type]

    assert ids(await Owner(store, queue, "o2").claim()) == ["a"]


@pytest.mark.parametrize("way", ["delayed", "parked", "redriven"])
async def test_an_empty_priority_list_is_read_again_when_a_job_comes_back(
    store: Store, declare: Declare, clock: FakeClock, way: str
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", priority="low"))
    owner = Owner(store, queue)
    (claim,) = await owner.claim()
    kind: Kind = {"delayed": "retry", "parked": "park", "redriven": "dead"}[way]  # type: ignore[assignment]
    await owner.finish(claim, kind=kind, delay_ms=1000)
    assert (await owner.turn(5)).reason == "empty"  # all priorities are seen empty
    if way == "redriven":
        await store.redrive(queue, ["a"])
    clock.advance(1)

    assert ids(await owner.claim()) == ["a"]


async def test_concurrency_counts_the_leases_of_all_owners(store: Store, declare: Declare) -> None:
    queue = declare(concurrency=5)
    await store.enqueue(queue, numbered(20))
    first, second = Owner(store, queue, "o1"), Owner(store, queue, "o2")
    claims = await first.claim(3)

    assert len(await second.claim(10)) == 2
    full = await second.turn(10)
    assert (full.claims, full.reason) == ([], "full")
    assert len((await first.turn(10, [settle(claims[0])])).claims) == 1


async def test_a_dead_holder_frees_its_slots_when_its_leases_end(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(concurrency=2)
    await store.enqueue(queue, numbered(4))
    await Owner(store, queue, "dead").claim(2)
    clock.advance(LEASE_MS / 1000 - 0.001)
    assert (await Owner(store, queue, "o2").turn(2)).reason == "full"
    clock.advance(0.001)

    assert len((await Owner(store, queue, "o3").turn(2, exclusive=False)).claims) == 2


async def test_a_batch_is_capped_by_bytes_and_keeps_its_order(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare(payload_limit=4 * 2**20)
    large = '"' + "x" * (CLAIM_MAX_BYTES * 2 // 5) + '"'
    for job_id in "abcde":
        await store.enqueue(queue, [Job("t", large, id=job_id)])
    owner = Owner(store, queue)

    first = await owner.turn(10)

    assert (ids(first.claims), first.reason) == (["a", "b"], "more")
    assert await probe.ids("q", "normal") == ["c", "d", "e"]
    assert ids(await owner.claim(10)) == ["c", "d"]
    assert ids(await owner.claim(10)) == ["e"]


async def test_one_job_over_the_byte_cap_is_claimed_by_itself(
    store: Store, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, [Job("t", '"' + "x" * (CLAIM_MAX_BYTES + 10) + '"', id="a")])
    await store.enqueue(queue, jobs("b"))

    assert ids(await Owner(store, queue).claim()) == ["a"]


async def test_nothing_is_claimed_while_a_queue_is_paused(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    assert await store.pause(queue, paused=True) is False
    owner = Owner(store, queue)

    held = await owner.turn()

    assert (held.claims, held.reason) == ([], "paused")
    assert await probe.read("q", "agenda") == {"q": int(keys.NEVER)}
    assert await store.pause(queue, paused=False) is True
    assert await probe.read("q", "agenda") == {"q": 0}
    assert ids(await owner.claim()) == ["a"]


async def test_settles_and_recovery_go_on_while_a_queue_is_paused(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b"))
    owner = Owner(store, queue)
    a, _b = await owner.claim()
    await store.pause(queue, paused=True)
    await owner.finish(a)
    clock.advance(31)

    await Owner(store, queue, "o2").turn()

    assert await probe.ids("q", "completed") == ["a"]
    assert await probe.ids("q", "normal") == ["b"]


@pytest.mark.parametrize("damage", ["evicted", "damaged", "ended"])
async def test_records_that_can_not_run_never_block_those_behind_them(
    store: Store, probe: Probe, declare: Declare, damage: str
) -> None:
    queue = declare()
    await store.enqueue(queue, numbered(10))
    for i in range(5):
        field = f"j{i:03}"
        if damage == "evicted":
            await probe.remove("q", field)
        else:
            raw = "rubbish\n" if damage == "damaged" else record("c")
            await probe.replace("q", field, raw)
    owner = Owner(store, queue)

    vain = await owner.turn(5)
    assert (vain.claims, vain.reason) == ([], "more")
    assert await probe.read("q", "agenda") == {"q": 1}
    assert ids(await owner.claim(5)) == [f"j{i:03}" for i in range(5, 10)]
    assert (await probe.totals())["lost"] == 5


async def test_what_evicted_delayed_jobs_leave_behind_does_not_stop_promotion(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, numbered(150, delay_ms=1000))
    await store.enqueue(queue, jobs("good", delay_ms=1001))
    await probe.remove("q", *(f"j{i:03}" for i in range(150)))
    clock.advance(2)
    owner = Owner(store, queue)
    await owner.turn()  # a page of 100 a turn

    assert ids(await owner.claim()) == ["good"]


@pytest.mark.parametrize("order", ["abc", "cab", "cba"])
async def test_parked_jobs_that_are_due_at_once_wait_again_in_the_order_of_their_ids(
    store: Store, declare: Declare, order: str
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs(*order))
    owner = Owner(store, queue)
    claims = await owner.claim()

    await owner.turn(0, [settle(claim, "park", 0) for claim in claims])

    assert ids(await owner.claim()) == ["a", "b", "c"]


@pytest.mark.one_shard
@pytest.mark.parametrize(("spare", "count"), [(0, 3), (1, 3), (-1, 2)])
async def test_a_reply_holds_records_up_to_the_very_byte(
    store: Store, declare: Declare, probe: Probe, monkeypatch: pytest.MonkeyPatch,
    spare: int, count: int,
) -> None:  # fmt: skip
    queue = declare()
    await store.enqueue(queue, numbered(5))
    records = await probe.read("q", "records")
    size = sum(len(records[f"j{n:03}"]) for n in range(3))
    monkeypatch.setattr("shared.store.turn.CLAIM_MAX_BYTES", size + spare)

    assert len(await Owner(store, queue).claim()) == count


async def test_a_record_that_was_deleted_half_way_goes_with_its_id(
    store: Store, declare: Declare, probe: Probe
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b"))
    await probe.replace("q", "a", "")

    claims = await Owner(store, queue).claim()

    assert ids(claims) == ["b"]
    assert "a" not in await probe.read("q", "records")
    assert (await probe.totals())["lost"] == 1
