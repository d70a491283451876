"""turn, its settling half: each kind of outcome, and leases that are not ours any more."""

from __future__ import annotations

import pytest

from shared.errors import ScriptError
from shared.jobs.claim import Claim
from shared.jobs.job import Guard
from shared.jobs.outcome import Kind
from shared.store import Store
from shared.store.turn import Settle
from shared.testing import FakeClock
from tests.support.probe import Probe
from tests.support.records import record
from tests.support.turns import LEASE_MS, Owner, ids, jobs, make_exclusive, numbered, settle
from tests.support.values import Declare


@pytest.fixture
async def claimed(store: Store, declare: Declare) -> tuple[Owner, Claim]:
    """Job "a", claimed once."""
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    owner = Owner(store, queue)
    return owner, (await owner.claim())[0]


async def trim_at(probe: Probe) -> int:
    """When the queue's retention is due."""
    return int((await probe.scalars())["trim_at"])


@pytest.mark.parametrize(
    ("kind", "home", "state", "total"),
    [
        ("done", "completed", "c", "done"),
        ("dead", "dead", "x", "dead"),
        ("cancelled", "cancelled", "k", "cancelled"),
    ],
)
async def test_an_end_moves_the_job_home_with_its_attempt_and_its_history(
    claimed: tuple[Owner, Claim], probe: Probe, clock: FakeClock,
    kind: Kind, home: str, state: str, total: str,
) -> None:  # fmt: skip
    owner, claim = claimed

    reply = await owner.turn(0, [settle(claim, kind, 0, '{"result":1}')])

    assert reply.stale == frozenset()
    assert await probe.snapshot() == {
        "records": {"a": record(state, fence=1, attempts=1, history='{"result":1}')},
        home: {"a": clock.epoch_ms()},
        "scalars": ({"completed": "1"} if kind == "done" else {})
        | {"expiry": str(clock.epoch_ms() + LEASE_MS)},
    } | ({} if kind == "dead" else {"agenda": {"q": await trim_at(probe)}})
    assert await probe.totals() == {"claimed": 1, total: 1}


async def test_a_retry_waits_out_its_delay_and_counts_its_attempt(
    claimed: tuple[Owner, Claim], probe: Probe, clock: FakeClock
) -> None:
    owner, claim = claimed
    due = clock.epoch_ms() + 1500

    await owner.turn(0, [settle(claim, "retry", 1500, "{}")])

    assert await probe.snapshot() == {
        "records": {"a": record(fence=1, attempts=1, history="{}", since=due)},
        "delayed": {"a": due},
        "agenda": {"q": due},
        "scalars": {"due": str(due), "expiry": str(clock.epoch_ms() + LEASE_MS)},
    }
    clock.advance(1.499)
    assert await owner.claim() == []
    clock.advance(0.001)
    (again,) = await owner.claim()
    assert (again.attempts, again.fence, again.history) == (1, 2, "{}")


@pytest.mark.parametrize(("kind", "delay"), [("snooze", 1000), ("release", 0), ("park", 1000)])
async def test_no_other_outcome_burns_an_attempt(
    claimed: tuple[Owner, Claim], clock: FakeClock, kind: Kind, delay: int
) -> None:
    owner, claim = claimed
    await owner.turn(0, [settle(claim, kind, delay)])
    clock.advance(delay / 1000)

    (again,) = await owner.claim()

    assert (again.attempts, again.crashes, again.fence) == (0, 0, 2)


async def test_a_parked_job_is_tried_again_when_its_time_comes(
    claimed: tuple[Owner, Claim], probe: Probe, clock: FakeClock
) -> None:
    owner, claim = claimed
    again = clock.epoch_ms() + 900_000

    await owner.turn(0, [settle(claim, "park", 900_000, '{"parked":"no handler"}')])

    assert await probe.snapshot() == {
        "records": {"a": record("p", fence=1, history='{"parked":"no handler"}')},
        "parked": {"a": again},
        "agenda": {"q": again},
        "scalars": {"recheck": str(again), "expiry": str(clock.epoch_ms() + LEASE_MS)},
    }
    clock.advance(900)
    assert ids(await owner.claim()) == ["a"]
    assert await probe.read("q", "parked") == {}


async def test_a_prolonged_lease_lasts_longer_and_carries_progress(
    claimed: tuple[Owner, Claim], store: Store, probe: Probe, clock: FakeClock
) -> None:
    owner, claim = claimed
    clock.advance(20)

    await owner.turn(0, [settle(claim, "keep", 0, '{"progress":40}')])

    assert await probe.read("q", "active") == {claim.lease: clock.epoch_ms() + LEASE_MS}
    assert (await probe.snapshot())["records"] == {"a": record(history='{"progress":40}')}
    clock.advance(20)
    assert await owner.claim() == []
    assert (await owner.finish(claim)).stale == frozenset()


async def test_a_lease_kept_at_the_last_moment_is_not_recovered_by_the_same_turn(
    claimed: tuple[Owner, Claim], store: Store, declare: Declare, probe: Probe, clock: FakeClock
) -> None:
    owner, claim = claimed
    clock.advance(31)

    reply = await owner.turn(5, [settle(claim, "keep")])

    assert (reply.stale, reply.claims) == (frozenset(), [])
    assert await probe.ids("q", "suspects") == []
    clock.advance(31)
    assert ids(await Owner(store, declare(), "o2").claim()) == ["a"]


async def test_a_settle_after_a_newer_claim_only_takes_the_blame_back_and_is_told_so(
    claimed: tuple[Owner, Claim], store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    late, old = claimed
    clock.advance(31)
    (new,) = await Owner(store, declare(), "o2").claim()
    before = {**await probe.snapshot(), "agenda": {"q": clock.epoch_ms() + LEASE_MS}}
    assert before["records"] == {"a": record(fence=1, reason="suspect", since=clock.epoch_ms())}

    reply = await late.turn(0, [settle(old, "done")])
    before["records"] = {"a": record(fence=1, since=clock.epoch_ms())}

    assert reply.stale == {old.lease}
    assert await probe.snapshot() == before
    assert new.fence == old.fence + 1
    assert "done" not in await probe.totals()


async def test_a_settle_after_the_expiry_counts_until_the_job_is_recovered(
    claimed: tuple[Owner, Claim], probe: Probe, clock: FakeClock
) -> None:
    owner, claim = claimed
    clock.advance(3600)

    assert (await owner.finish(claim)).stale == frozenset()
    assert await probe.ids("q", "completed") == ["a"]


async def test_a_lease_of_an_earlier_life_can_not_settle_a_job_made_anew(
    claimed: tuple[Owner, Claim], store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    late, old = claimed
    clock.advance(31)
    other = Owner(store, declare(), "o2")
    await other.turn(0)
    await store.purge(declare())
    await store.enqueue(declare(), jobs("a"))
    (new,) = await other.claim()
    assert new.fence == old.fence

    assert (await late.finish(old)).stale == {old.lease}
    assert await probe.ids("q", "active") == [new.lease]


async def test_after_the_database_was_emptied_old_leases_settle_into_nothing(
    claimed: tuple[Owner, Claim], store: Store, probe: Probe, declare: Declare
) -> None:
    owner, claim = claimed
    await probe.run("FLUSHALL")
    await store.enqueue(declare(), jobs("a"))
    (new,) = await Owner(store, declare(), "o2").claim()

    assert (await owner.finish(claim)).stale == {claim.lease}
    assert await probe.ids("q", "active") == [new.lease]


async def test_one_refused_lease_does_not_touch_the_others_of_its_turn(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b"))
    owner = Owner(store, queue)
    a, b = await owner.claim()
    await owner.finish(a)

    reply = await owner.turn(0, [settle(a, "dead"), settle(b), Settle("zz 1 o1 1 0", "done")])

    assert reply.stale == {a.lease, "zz 1 o1 1 0"}
    assert await probe.ids("q", "completed") == ["a", "b"]
    assert await probe.totals() == {"claimed": 2, "done": 2}


async def test_a_settle_without_a_lease_is_refused_before_anything_is_written(
    claimed: tuple[Owner, Claim], probe: Probe
) -> None:
    owner, claim = claimed
    before = await probe.snapshot()

    with pytest.raises(ScriptError, match="a number or a lease of this turn can't be read"):
        await owner.turn(0, [settle(claim), Settle("nonsense", "done")])

    assert await probe.snapshot() == before


async def test_a_retry_is_remembered_though_other_jobs_were_due_in_the_same_turn(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, [*jobs("a"), *jobs("due", delay_ms=1000)])
    owner = Owner(store, queue)
    (a,) = await owner.claim()
    clock.advance(2)

    reply = await owner.turn(5, [settle(a, "retry", 60_000)])
    await owner.turn(5, [settle(claim) for claim in reply.claims])

    assert ids(reply.claims) == ["due"]
    assert await probe.read("q", "agenda") == {"q": clock.epoch_ms() + 60_000}
    clock.advance(60)
    assert ids(await owner.claim()) == ["a"]


async def test_a_large_batch_settles_in_one_turn(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, numbered(1000))
    owner = Owner(store, queue)
    claims = await owner.claim(1000)

    reply = await owner.turn(1000, [settle(claim, "done", 0, '{"result":1}') for claim in claims])

    assert (len(claims), reply.stale, reply.claims) == (1000, frozenset(), [])
    assert len(await probe.ids("q", "completed")) == 1000
    assert (await probe.scalars())["active"] == "0"


async def test_durations_are_learned_and_answered_on_request(
    store: Store, declare: Declare
) -> None:
    queue = declare()
    owner = Owner(store, queue)
    await owner.turn(1, observed={"t": {1: 3, 36: 2, 99: 1}})

    reply = await Owner(store, queue, "o2").turn(1, want_histograms=["t", "never"])

    assert reply.histograms["t"] == [3, *[0] * 34, 3]
    assert reply.histograms["never"] == []


async def test_old_durations_fade(store: Store, declare: Declare) -> None:
    queue = declare()
    owner = Owner(store, queue)
    await owner.turn(1, observed={"t": {5: 1000}})
    await owner.turn(1, observed={"t": {20: 100}})

    histogram = (await owner.turn(1, want_histograms=["t"])).histograms["t"]

    assert (histogram[4], histogram[19]) == (500, 50)


async def test_a_record_that_was_cut_short_keeps_its_history_apart_from_its_body(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    cut = record()[:-5]
    await probe.replace("q", "a", cut)
    owner = Owner(store, queue)
    (claim,) = await owner.claim()

    await owner.turn(0, [settle(claim, "retry", history='{"errors":[]}')])

    body = cut.partition("\n")[2]
    since = clock.epoch_ms()
    expected = record(fence=1, attempts=1, body=body, history='{"errors":[]}', since=since)
    assert (await probe.read("q", "records"))["a"] == expected
    assert (await owner.claim())[0].history == '{"errors":[]}'


@pytest.mark.parametrize("second", ["done", "retry", "dead", "release", "keep"])
async def test_a_second_settle_of_one_lease_in_one_turn_is_stale(
    claimed: tuple[Owner, Claim], probe: Probe, clock: FakeClock, second: Kind
) -> None:
    owner, claim = claimed

    await owner.turn(0, [settle(claim, "retry", 5000), settle(claim, second)])

    assert await probe.totals() == {"claimed": 1, "retried": 1}
    assert await probe.ids("q", "delayed") == ["a"]
    assert (await probe.read("q", "records"))["a"] == record(
        fence=1, attempts=1, since=clock.epoch_ms() + 5000
    )


@pytest.mark.parametrize("second", ["keep", "done", "retry"])
async def test_a_job_settled_after_its_progress_in_one_turn_counts_its_bytes_once(
    claimed: tuple[Owner, Claim], store: Store, declare: Declare, probe: Probe, second: Kind
) -> None:
    owner, claim = claimed
    note = '{"progress":50}'

    await owner.turn(0, [settle(claim, "keep", history=note), settle(claim, second, history=note)])

    stored = (await probe.read("q", "records"))["a"]
    stats = await store.stats(declare())
    assert (stats.jobs, stats.bytes) == (1, len("a" + stored))


async def test_a_job_that_lives_again_frees_no_name_that_another_holds(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue, name = declare(), Guard("n", 0)
    await store.enqueue(queue, jobs("a", dedup=name))
    await make_exclusive(store, queue, clock)
    for n in range(3):  # the third crash by itself ends it
        dead = Owner(store, queue, f"dead{n}")
        (claim,) = await dead.claim(exclusive=True)
        clock.advance(LEASE_MS / 1000)
        await Owner(store, queue, f"recovers{n}").turn(0)
    assert (await store.inspect(queue, "a")).state == "dead"
    await store.enqueue(queue, jobs("b", dedup=name))

    await dead.turn(0, [settle(claim)])  # its function lives: no crash
    assert (await store.inspect(queue, "a")).state == "waiting"
    last = Owner(store, queue, "last")
    (again,) = await last.claim(exclusive=True)
    assert (await last.finish(again)).stale == frozenset()
    assert (await store.inspect(queue, "a")).state == "completed"

    (third,) = await store.enqueue(queue, jobs("c", dedup=name))
    assert (third.id, third.duplicate) == ("b.q", True)
