"""Single enqueues that are under way together share requests, and are answered one by one."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from shared.errors import IdempotencyMismatch, ScriptError, Unreachable
from shared.jobs.job import Guard, Job
from shared.store import Store
from shared.testing import Fate
from tests.support.turns import jobs, numbered
from tests.support.values import Declare
from tests.support.world import World


@pytest.mark.one_shard
async def test_concurrent_single_enqueues_cost_three_requests_and_answer_each_job(
    world: World, declare: Declare
) -> None:
    queue, store = declare(), world.client(latency=0.01)
    await store.enqueue(queue, jobs("first"))  # from here on the scripts are known
    await store.enqueue(queue, numbered(2, "second"))
    before = store.meter.snapshot()

    answers = await asyncio.gather(*(store.enqueue_one(queue, job) for job in numbered(32)))

    used = store.meter.since(before)
    print(f"32 single enqueues: {used.commands} commands, {used.requests} requests")
    assert [answer.id for answer in answers] == [f"{job.id}.q" for job in numbered(32)]
    assert not any(answer.duplicate for answer in answers)
    assert (used.commands, used.requests) == (5 + 5 + 5, 3)
    assert (await store.stats(queue)).waiting == 1 + 2 + 32


@pytest.mark.one_shard
async def test_jobs_of_two_queues_do_not_wait_for_each_other(
    store: Store, declare: Declare
) -> None:
    one, other = declare("one"), declare("other")
    await asyncio.gather(store.enqueue(one, jobs("a")), store.enqueue(other, jobs("a")))
    before = store.meter.snapshot()

    await asyncio.gather(store.enqueue(one, jobs("b")), store.enqueue(other, jobs("b")))

    assert store.meter.since(before).commands == 5 + 5


async def test_options_and_guards_hold_within_a_shared_request(
    store: Store, declare: Declare
) -> None:
    queue = declare()
    dedup, key = Guard("dedup:x"), Guard("key:y", 60_000, "one")
    (a,), (b,) = jobs("a", dedup=dedup), jobs("b", dedup=dedup)
    (c,), (d,) = jobs("c", idempotency=key), jobs("d", idempotency=key)
    (e,) = jobs("e", idempotency=key._replace(fingerprint="other"))
    (f,) = jobs("f", delay_ms=60_000)

    answers = await asyncio.gather(
        *(store.enqueue_one(queue, job) for job in (*jobs("first"), a, b, c, d, e, f)),
        return_exceptions=True,
    )

    mismatch = answers.pop(5)
    assert isinstance(mismatch, IdempotencyMismatch)
    told = [(x.id, x.state, x.duplicate) for x in answers if not isinstance(x, BaseException)]
    assert told == [
        ("first.q", "waiting", False),
        ("a.q", "waiting", False),
        ("a.q", "waiting", True),
        ("c.q", "waiting", False),
        ("c.q", "waiting", False),
        ("f.q", "delayed", False),
    ]


@pytest.mark.parametrize("at", [1, 7, 20])
async def test_one_bad_job_is_refused_alone(store: Store, declare: Declare, at: int) -> None:
    queue, single = declare(), numbered(21)
    single[at] = dataclasses.replace(single[at], key="two words")

    answers = await asyncio.gather(
        *(store.enqueue_one(queue, job) for job in single), return_exceptions=True
    )

    refused = [i for i, answer in enumerate(answers) if isinstance(answer, ScriptError)]
    assert refused == [at]
    assert (await store.stats(queue)).waiting == 20


async def test_a_job_that_can_not_be_encoded_fails_alone(store: Store, declare: Declare) -> None:
    queue, single = declare(), numbered(5)
    single[2] = dataclasses.replace(single[2], overrides={"attempts": object()})

    answers = await asyncio.gather(
        *(store.enqueue_one(queue, job) for job in single), return_exceptions=True
    )

    assert [isinstance(answer, Exception) for answer in answers] == [i == 2 for i in range(5)]


async def test_large_jobs_are_shared_out_over_requests_that_fit(
    store: Store, declare: Declare
) -> None:
    queue = declare()
    large = [Job("t", '"' + "x" * 2**20 + '"', id=f"l{i}") for i in range(9)]

    answers = await asyncio.gather(*(store.enqueue_one(queue, job) for job in large))

    assert [answer.duplicate for answer in answers] == [False] * 9
    assert (await store.stats(queue)).waiting == 9


async def test_a_caller_that_gives_up_takes_only_its_own_job_along(
    world: World, declare: Declare
) -> None:
    queue, store = declare(), world.client(latency=0.01)
    calls = [asyncio.create_task(store.enqueue_one(queue, job)) for job in numbered(6)]
    await asyncio.sleep(0)
    calls[3].cancel()

    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert [isinstance(answer, asyncio.CancelledError) for answer in answers] == [
        i == 3 for i in range(6)
    ]
    assert (await store.stats(queue)).waiting == 5


async def test_a_store_that_is_away_is_told_to_every_caller_and_the_next_one_is_served(
    world: World, declare: Declare
) -> None:
    queue, store = declare(), world.client([Fate.LOST_BEFORE] * 400)

    answers = await asyncio.gather(
        *(store.enqueue_one(queue, job) for job in numbered(8)), return_exceptions=True
    )
    world.transports[-1].script()
    after = await store.enqueue_one(queue, jobs("after")[0])

    assert all(isinstance(answer, Unreachable) for answer in answers)
    assert len({id(answer) for answer in answers}) == 8
    assert not after.duplicate


async def test_a_lost_reply_of_a_shared_request_makes_no_duplicates(
    world: World, declare: Declare
) -> None:
    queue, store = declare(), world.client()
    await store.enqueue(queue, jobs("first"))
    await store.enqueue(queue, numbered(2, "second"))
    world.transports[-1].script(Fate.DELIVERED, Fate.LOST_AFTER)

    answers = await asyncio.gather(*(store.enqueue_one(queue, job) for job in numbered(9)))

    assert not any(answer.duplicate for answer in answers)
    assert (await store.stats(queue)).waiting == 12
