"""The scripts at their largest sizes, on GopherLua and on a real server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared import Queue, RateLimit
from shared.jobs.job import Guard, Job
from shared.store import Store
from tests.support.probe import Probe
from tests.support.servers import GOPHERLUA, kinds
from tests.support.turns import Owner, ids, numbered, settle

Declare = Callable[..., Queue]
MANY = 1_000
"""The largest TIDEGATE_BATCH."""
HOUR_MS = 3_600_000


@pytest.fixture(params=[GOPHERLUA, kinds()[0]])
def engine_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


async def test_five_hundred_jobs_of_four_megabytes_are_stored_by_one_request(
    store: Store, probe: Probe, declare: Declare
) -> None:
    jobs = [Job("t", '"' + "x" * 8_000 + '"', id=f"j{i:03}") for i in range(500)]
    before = store.meter.requests

    answers = await store.enqueue(declare(), jobs)

    assert store.meter.requests - before <= 2  # the script's text, once
    assert not any(answer.duplicate for answer in answers)
    assert len(await probe.read("q", "normal")) == 500


async def test_five_hundred_guarded_jobs_answer_all_their_duplicates(
    store: Store, declare: Declare
) -> None:
    def guarded(name: str) -> list[Job]:
        return [
            Job(
                "t",
                "{}",
                id=f"{name}{i:03}",
                dedup=Guard(f"dedup:{i}", 0),
                idempotency=Guard(f"idem:{name}{i}", HOUR_MS, "fp"),
                delay_ms=HOUR_MS,
                priority="high",
            )
            for i in range(500)
        ]

    first = await store.enqueue(declare(), guarded("a"))
    second = await store.enqueue(declare(), guarded("b"))

    assert not any(answer.duplicate for answer in first)
    assert [answer.id for answer in second] == [answer.id for answer in first]


async def test_a_thousand_jobs_are_claimed_prolonged_settled_and_listed(
    store: Store, declare: Declare
) -> None:
    queue, owner = declare(), Owner(store, declare())
    await store.enqueue(queue, numbered(MANY, "j"))

    claims = await owner.claim(MANY)
    kept = await owner.turn(0, [settle(claim, "keep") for claim in claims])
    retried = await owner.turn(MANY, [settle(claim, "retry") for claim in claims])
    dead = await owner.turn(0, [settle(claim, "dead") for claim in retried.claims])

    assert ids(claims) == ids(retried.claims) == [f"j{i:03}" for i in range(MANY)]
    assert not kept.stale | retried.stale | dead.stale
    assert len(await store.browse(queue, "dead", most=MANY)) == MANY
    assert all(await store.redrive(queue, ids(claims)))
    assert await store.purge(queue) == MANY


async def test_a_turn_answered_again_has_the_same_thousand_claims(
    store: Store, declare: Declare
) -> None:
    owner = Owner(store, declare())
    await store.enqueue(declare(), numbered(MANY, "j"))

    claims = await owner.claim(MANY)
    again = await owner.again()

    assert sorted(ids(again.claims)) == sorted(ids(claims))


async def test_a_turn_bears_ten_thousand_cancel_requests_and_owners(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue, records = declare(), probe.key("q", "records")
    await store.enqueue(queue, numbered(1))
    requests = sorted(f"r{i}" for i in range(10_000))
    owners = "".join(f"o{i} 1 {2**50} 1 {2**50} 1 0 -;" for i in range(10_000))
    await probe.run("HSET", records, ":cancel", " ".join(requests), ":replay", owners)

    reply = await Owner(store, queue, "mine").turn()

    assert ids(reply.claims) == ["j000"]
    assert sorted(reply.cancel) == requests
    assert (await probe.run("HGET", records, ":replay")).startswith(owners.encode())


async def test_a_queue_with_both_limits_claims_up_to_the_lower(
    store: Store, declare: Declare
) -> None:
    queue = declare(concurrency=3, limit=RateLimit(5, per=1))
    await store.enqueue(queue, numbered(10))

    reply = await Owner(store, queue).turn(10)

    assert len(reply.claims) == 3
