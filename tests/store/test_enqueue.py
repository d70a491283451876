"""enqueue: a job is its id; guards let one job stand for all that share a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from shared.declare.idempotency import TTL_MS, Key
from shared.errors import IdempotencyMismatch, ScriptError
from shared.jobs.job import Guard, Job
from shared.store import Store
from shared.testing import FakeClock
from tests.support.probe import Probe
from tests.support.records import BODY, record
from tests.support.turns import Owner, ids, jobs, numbered, settle
from tests.support.values import Declare


async def test_a_plain_job_is_a_record_a_place_in_line_and_a_call_to_work(
    store: Store, probe: Probe, declare: Declare
) -> None:
    (answer,) = await store.enqueue(declare(), jobs("a"))

    assert (answer.id, answer.state, answer.duplicate) == ("a.q", "waiting", False)
    assert await probe.snapshot() == {
        "records": {"a": record()},
        "normal": ["a"],
        "agenda": {"q": 1},
    }


async def test_many_jobs_keep_their_order_in_their_priorities(
    store: Store, probe: Probe, declare: Declare
) -> None:
    batch = [*jobs("a", "b"), *jobs("c", priority="high"), *jobs("d", "e", priority="low")]

    answers = await store.enqueue(declare(), batch)

    assert [answer.state for answer in answers] == ["waiting"] * 5
    assert await probe.snapshot() == {
        "records": {
            "a": record(),
            "b": record(),
            "c": record(priority="h"),
            "d": record(priority="l"),
            "e": record(priority="l"),
        },
        "high": ["c"],
        "normal": ["a", "b"],
        "low": ["d", "e"],
        "agenda": {"q": 1},
        "scalars": {"mixed": "1"},
    }


async def test_a_delayed_job_waits_for_its_instant_by_the_store_clock(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    due = clock.epoch_ms() + 1500

    (answer,) = await store.enqueue(declare(), jobs("a", delay_ms=1500))

    assert answer.state == "delayed"
    assert await probe.snapshot() == {
        "records": {"a": record(since=due)},
        "delayed": {"a": due},
        "agenda": {"q": due},
        "scalars": {"due": str(due)},
    }


@pytest.mark.parametrize(("offset", "state"), [(-1, "waiting"), (0, "waiting"), (1, "delayed")])
async def test_run_at_decides_to_the_millisecond(
    store: Store, declare: Declare, clock: FakeClock, offset: int, state: str
) -> None:
    (answer,) = await store.enqueue(declare(), jobs("a", run_at_ms=clock.epoch_ms() + offset))

    assert answer.state == state


async def test_a_nearer_job_lowers_the_agenda_and_a_farther_one_does_not(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue, now = declare(), clock.epoch_ms()
    for job_id, delay in (("b", 2000), ("c", 3000), ("a", 1000)):
        await store.enqueue(queue, jobs(job_id, delay_ms=delay))

    assert await probe.read("q", "agenda") == {"q": now + 1000}
    assert (await probe.scalars())["due"] == str(now + 1000)


@pytest.mark.parametrize("options", [{}, {"priority": "high"}, {"delay_ms": 500}])
async def test_the_same_id_again_changes_nothing(
    store: Store, probe: Probe, declare: Declare, options: dict[str, object]
) -> None:
    queue = declare()
    await store.enqueue(queue, [Job("t", "{}", id="a")])
    before = await probe.snapshot()

    (answer,) = await store.enqueue(queue, [Job("t", '{"other":1}', id="a", **options)])  # type: ignore[arg-type]

    assert (answer.id, answer.state, answer.duplicate) == ("a.q", "waiting", True)
    assert await probe.snapshot() == before


@pytest.mark.parametrize("options", [{}, {"priority": "low"}])
async def test_an_ended_job_is_not_made_anew_and_its_state_is_the_answer(
    store: Store, probe: Probe, declare: Declare, options: dict[str, str]
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    owner = Owner(store, queue)
    (claim,) = await owner.claim()
    await owner.finish(claim)

    (answer,) = await store.enqueue(queue, jobs("a", **options))

    assert (answer.state, answer.duplicate) == ("completed", True)
    assert await probe.read("q", "normal") == []


async def test_twins_within_one_request_are_one_job(
    store: Store, probe: Probe, declare: Declare
) -> None:
    answers = await store.enqueue(declare(), [*jobs("a"), *jobs("b"), *jobs("a")])

    assert [answer.duplicate for answer in answers] == [False, False, True]
    assert await probe.read("q", "normal") == ["a", "b"]


async def test_more_jobs_than_one_request_holds_arrive_all_and_in_order(
    store: Store, probe: Probe, declare: Declare
) -> None:
    batch = numbered(1203)

    answers = await store.enqueue(declare(), batch)

    assert [answer.id for answer in answers] == [f"{job.id}.q" for job in batch]
    assert await probe.ids("q", "normal") == [job.id for job in batch]
    assert store.meter.requests == 4  # three, and one EVAL: the server did not know the script


async def test_a_large_batch_of_wide_characters_stays_below_the_request_limit(
    store: Store, probe: Probe, declare: Declare
) -> None:
    wide = [Job("t", '"' + "漢" * 15_000 + '"', id=f"j{i}") for i in range(260)]

    answers = await store.enqueue(declare(), wide)

    assert {answer.state for answer in answers} == {"waiting"}


async def test_a_job_named_like_a_scalar_is_a_job_beside_it(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    names = ["paused", "clock", "replay", "cancel", "-", "durations"]
    await store.enqueue(queue, jobs(*names))
    owner = Owner(store, queue)

    claims = await owner.claim()
    await owner.finish(*claims)

    assert ids(claims) == names
    assert set(await probe.ids("q", "completed")) == set(names)
    assert (await probe.scalars())["paused"] == "0"


@pytest.mark.parametrize("options", [{"id": "two words"}, {"priority": "zero"}])
async def test_a_malformed_job_is_refused_before_anything_is_written(
    store: Store, probe: Probe, declare: Declare, options: dict[str, Any]
) -> None:
    with pytest.raises(ScriptError, match="job 2 is not well formed"):
        await store.enqueue(declare(), [*jobs("a"), Job("t", "{}", **options)])

    assert await probe.snapshot() == {}


async def test_a_dedup_name_stands_for_one_job_until_that_job_ends(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue, guard = declare(), Guard("dedup:x")
    await store.enqueue(queue, jobs("a", dedup=guard))
    (twin,) = await store.enqueue(queue, jobs("b", dedup=guard))
    assert (twin.id, twin.duplicate) == ("a.q", True)
    assert await probe.snapshot() == {
        "records": {"a": record(dedup="dedup:x")},
        "normal": ["a"],
        "dedup": {"dedup:x": "0 - a w"},
        "agenda": {"q": 1},
    }
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim())

    (fresh,) = await store.enqueue(queue, jobs("b", dedup=guard))

    assert (fresh.id, fresh.duplicate) == ("b.q", False)


@pytest.mark.parametrize("kind", ["dead", "cancelled"])
async def test_every_end_frees_the_dedup_name(
    store: Store, probe: Probe, declare: Declare, kind: str
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", dedup=Guard("dedup:x")))
    owner = Owner(store, queue)
    (claim,) = await owner.claim()
    await owner.turn(0, [settle(claim, kind)])  # type: ignore[arg-type]

    assert await probe.read("q", "dedup") == {}


@pytest.mark.parametrize("kind", ["retry", "release", "snooze", "park"])
async def test_a_job_that_goes_on_keeps_its_dedup_name(
    store: Store, probe: Probe, declare: Declare, kind: str
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", dedup=Guard("dedup:x")))
    owner = Owner(store, queue)
    (claim,) = await owner.claim()
    await owner.turn(0, [settle(claim, kind, 1000)])  # type: ignore[arg-type]

    assert await probe.read("q", "dedup") == {"dedup:x": "0 - a w"}


@pytest.mark.parametrize(("after_ms", "duplicate"), [(999, True), (1000, False), (1001, False)])
async def test_a_dedup_with_a_time_to_live_ends_to_the_millisecond(
    store: Store, declare: Declare, clock: FakeClock, after_ms: int, duplicate: bool
) -> None:
    queue, guard = declare(), Guard("dedup:x", 1000)
    await store.enqueue(queue, jobs("a", dedup=guard))
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim())  # its end does not end the guard
    clock.advance(after_ms / 1000)

    (answer,) = await store.enqueue(queue, jobs("b", dedup=guard))

    assert answer.duplicate is duplicate


async def test_a_dedup_whose_job_was_lost_does_not_hold_for_ever(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue, guard = declare(), Guard("dedup:x")
    await store.enqueue(queue, jobs("a", dedup=guard))
    await probe.remove("q", "a")

    (answer,) = await store.enqueue(queue, jobs("b", dedup=guard))

    assert (answer.id, answer.duplicate) == ("b.q", False)


async def test_an_idempotency_key_answers_the_same_request_as_before(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue, guard = declare(), Guard("idem:k", 86_400_000, "print1")
    first = await store.enqueue_one(queue, jobs("a", idempotency=guard)[0])
    before = await probe.snapshot()

    again = await store.enqueue_one(queue, jobs("b", idempotency=guard)[0])

    assert again == first
    assert await probe.snapshot() == before


async def test_an_idempotency_key_with_another_body_is_a_mismatch_and_stores_nothing(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", idempotency=Guard("idem:k", 1000, "one")))
    before = await probe.snapshot()

    with pytest.raises(IdempotencyMismatch):
        await store.enqueue_one(queue, jobs("b", idempotency=Guard("idem:k", 1000, "two"))[0])

    assert await probe.snapshot() == before


def of_request(*names: str, key: Key, at: Sequence[int] = ()) -> list[Job]:
    """The jobs of a bulk request under this key, at these positions or from 0 on."""
    places = at or range(len(names))
    return [
        replace(job, idempotency=key.guard(place))
        for job, place in zip(jobs(*names), places, strict=True)
    ]


ONE, TWO = Key("k", "one"), Key("k", "two")


@pytest.mark.one_shard
@pytest.mark.parametrize("room", [1, 2, 3])
async def test_a_key_of_a_bulk_takes_no_other_request_whichever_of_its_jobs_were_stored(
    store: Store, probe: Probe, declare: Declare, room: int
) -> None:
    queue = declare(max_jobs=room)
    first = await store.enqueue(queue, of_request("a", "b", "c", key=ONE))
    before = await probe.snapshot()

    other = await store.enqueue(declare(), of_request("d", "e", key=TWO, at=(7, 8)))
    single = await store.enqueue(declare(), [replace(jobs("f")[0], idempotency=TWO.guard())])

    assert [answer.stored for answer in first] == [True] * room + [False] * (3 - room)
    refusals = {type(answer.refusal) for answer in [*other, *single]}
    assert refusals == {IdempotencyMismatch}
    assert await probe.snapshot() == before


@pytest.mark.one_shard
@pytest.mark.parametrize("stored", [(0,), (1,), (2,), (0, 2)])
async def test_a_repeated_bulk_tries_what_was_refused_and_answers_the_rest_as_before(
    store: Store, probe: Probe, declare: Declare, stored: tuple[int, ...]
) -> None:
    queue = declare()
    before = await store.enqueue(
        queue, of_request(*(f"a{at}" for at in stored), key=ONE, at=stored)
    )

    again = await store.enqueue(queue, of_request("b0", "b1", "b2", key=ONE))

    ids = {at: answer.id for at, answer in zip(stored, before, strict=True)}
    assert [answer.id for answer in again] == [ids.get(at, f"b{at}.q") for at in range(3)]
    assert await store.enqueue(queue, of_request("c0", "c1", "c2", key=ONE)) == again
    assert len(await probe.ids("q", "normal")) == 3


async def test_the_guard_of_a_bulk_lasts_as_long_as_the_last_of_its_jobs_and_then_goes(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, of_request("a", key=ONE))
    clock.advance(TTL_MS / 1000 - 1)
    await store.enqueue(queue, of_request("b", key=ONE, at=(1,)))
    clock.advance(2)

    later = await store.enqueue(queue, of_request("c", key=TWO))
    clock.advance(TTL_MS / 1000)
    after = await store.enqueue(queue, of_request("d", key=TWO))
    clock.advance(TTL_MS / 1000 + 1)
    await store.enqueue(queue, jobs("e", dedup=Guard("dedup:x", 1000)))

    assert isinstance(later[0].refusal, IdempotencyMismatch)
    assert after[0].stored
    assert await probe.run("HLEN", probe.key("q", "dedup")) == 1


async def test_each_job_of_a_request_gets_the_answer_of_its_own_guard(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    same, other = Guard("idem:k", 1000, "one"), Guard("idem:k", 1000, "two")
    batch = [
        *jobs("a", idempotency=same),
        *jobs("b", idempotency=same),
        *jobs("c", idempotency=other),
        *jobs("d", dedup=Guard("dedup:x")),
        *jobs("e", dedup=Guard("dedup:x")),
        *jobs("f"),
    ]

    answers = await store.enqueue(queue, batch)

    assert [a.id for a in answers] == ["a.q", "a.q", "c.q", "d.q", "d.q", "f.q"]
    assert [a.duplicate for a in answers] == [False, False, False, False, True, False]
    assert [a.stored for a in answers] == [True, True, False, True, True, True]
    assert await probe.ids("q", "normal") == ["a", "d", "f"]


async def test_expired_guards_do_not_pile_up(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(
        queue, [job for i in range(50) for job in jobs(f"a{i}", dedup=Guard(f"dedup:a{i}", 10))]
    )
    clock.advance(1)
    for i in range(60):
        await store.enqueue(queue, jobs(f"b{i}", dedup=Guard("dedup:b", 1)))
        clock.advance(1)

    assert len(await probe.read("q", "dedup")) < 10


async def test_a_key_rides_along_to_the_claim(store: Store, declare: Declare) -> None:
    queue = declare()
    await store.enqueue(queue, [Job("t", "{}", id="a", key="usér-42")])

    (claim,) = await Owner(store, queue).claim()

    assert claim.key == "usér-42"


async def test_a_payload_comes_back_byte_for_byte(store: Store, declare: Declare) -> None:
    payload = '{"n":9007199254740993,"f":1.0,"e":{},"l":[],"z":"\\u0000\\n","u":"漢🎉","b":1e400}'
    queue = declare()
    await store.enqueue(queue, [Job("t", payload, id="a")])

    (claim,) = await Owner(store, queue).claim()

    assert claim.body == BODY.partition("\n")[0] + "\n" + payload


@pytest.mark.best_server
@pytest.mark.parametrize("together", [2047, 2048, 2049, 6500])
async def test_jobs_of_one_instant_keep_their_order_however_many_there_are(
    store: Store, declare: Declare, clock: FakeClock, together: int
) -> None:
    queue, at = declare(), clock.epoch_ms() + 1000
    names = [
        f"{n * 7919 % 10_000:04}" for n in range(together + 3)
    ]  # not in the order of their ids
    for first in range(0, together, 500):
        some = names[first : min(first + 500, together)]
        await store.enqueue(queue, jobs(*some, run_at_ms=at))
    for name in names[together:]:
        await store.enqueue(queue, jobs(name, run_at_ms=at))
    clock.advance(2)
    owner, seen = Owner(store, queue), list[str]()
    while claims := await owner.claim(500):
        seen += [claim.id for claim in claims]
        await owner.finish(*claims)

    assert seen == names
