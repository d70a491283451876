"""A script may stop at any write, and Redis keeps the writes before it. For every verb and every
write: nothing acknowledged is lost, nothing refused exists, nothing blocks, and the rest heals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from shared import Queue
from shared.errors import JobNotFound, StoreError
from shared.jobs.job import Guard, Job
from shared.store import Store
from shared.store.deaths import RestoreRequest
from shared.store.repair import repair
from tests.support.failing import failing
from tests.support.records import record
from tests.support.turns import Owner, ids, jobs, settle
from tests.support.world import World

pytestmark = pytest.mark.each_write
MOST_WRITES = 12
Act = Callable[[Store, Queue], Awaitable[Any]]


def enqueue(*batch: Job) -> Act:
    return lambda store, queue: store.enqueue(queue, batch)


@dataclass(frozen=True)
class Verb:
    """`act` runs the script once on the queue of `_prepare`. `gone`: ids that must not be claimed
    after it; `new`: ids that must be claimed and were not there before."""

    name: str
    act: Act
    gone: frozenset[str] = frozenset()
    new: frozenset[str] = frozenset()


def _enqueues() -> list[Verb]:
    batches = {
        "plain": jobs("n"),
        "high": jobs("n", priority="high"),
        "delayed": jobs("n", delay_ms=1000),
        "deduplicated": jobs("n", dedup=Guard("dedup:n")),
        "deduplicated for a time": jobs("n", dedup=Guard("dedup:n", 5000)),
        "idempotent": jobs("n", idempotency=Guard("key:n", 5000, "print")),
        "mixed": [
            *jobs("n", idempotency=Guard("key:n", 5000, "print")),
            *jobs("n1", priority="low"),
            *jobs("n2", priority="high", dedup=Guard("dedup:n")),
            *jobs("n3", delay_ms=1000),
            *jobs("n4"),
        ],
    }
    return [
        Verb("enqueue", enqueue(*batch), new=frozenset(job.id for job in batch))
        for batch in batches.values()
    ]


def _cancel(job_id: str) -> Verb:
    return Verb("cancel", lambda store, queue: store.cancel(queue, job_id), frozenset({job_id}))


async def _remove_deaths(store: Store, queue: Queue) -> None:
    deaths = await store.deaths.read(queue, dead_for_ms=0, skip=0, most=10)
    await store.deaths.remove(queue, deaths)


async def _restore(store: Store, queue: Queue) -> None:
    archived = record("x", fence=1, attempts=1)
    letters = [RestoreRequest(one, f"{one}-1-1", archived) for one in ("archived", "archived2")]
    await store.deaths.restore(queue, letters, names_ms=10**9)


VERBS = [
    *_enqueues(),
    *(_cancel(job_id) for job_id in ("waiting", "urgent", "delayed", "parked", "suspect")),
    Verb(
        "redrive",
        lambda store, queue: store.redrive(queue, ["dead", "dead2", "parked"]),
        new=frozenset({"dead", "dead2"}),
    ),
    Verb("delete", lambda store, queue: store.delete(queue, ["dead", "done", "stopped"])),
    Verb(
        "purge",
        lambda store, queue: store.purge(queue),
        frozenset({"waiting", "urgent", "delayed", "suspect"}),
    ),
    Verb("remove_deaths", _remove_deaths),
    Verb("restore", _restore, new=frozenset({"archived", "archived2"})),
    Verb("pause", lambda store, queue: store.pause(queue, paused=False)),
]
ACKNOWLEDGED = {"waiting", "urgent", "delayed", "parked", "suspect"}
"""Live jobs of `_prepare` that no function holds."""


async def _prepare(world: World) -> Queue:
    """A queue with a job in every place."""
    store, queue = world.store, world.app.queue("q")
    await store.enqueue(queue, jobs("suspect"))
    for crash in range(2):
        await Owner(store, queue, f"killed{crash}", lease_ms=1).claim(exclusive=False)
        world.clock.advance(1)
        await Owner(store, queue, f"recovers{crash}").turn(0)
    await store.enqueue(queue, jobs("dead", "dead2", "done", "stopped", "parked"))
    owner = Owner(store, queue)
    claims = await owner.claim(5, exclusive=False)
    kinds = ("dead", "dead", "done", "cancelled", "park")
    settles = [settle(c, k, 60_000) for c, k in zip(claims, kinds, strict=True)]  # type: ignore[arg-type]
    await owner.turn(0, settles)
    await store.enqueue(queue, [*jobs("waiting"), *jobs("urgent", priority="high")])
    await store.enqueue(queue, jobs("delayed", delay_ms=500, dedup=Guard("dedup:delayed")))
    return queue


async def _claimed(world: World, queue: Queue, name: str = "last") -> list[str]:
    """Everything that can be claimed from now on, each as often as it is handed out."""
    owner, claimed = Owner(world.store, queue, name), list[str]()
    for _ in range(12):
        world.clock.advance(61)
        claims = (await owner.turn(20)).claims
        claimed += ids(claims)
        await owner.finish(*claims)
    return claimed


async def _retain(world: World, queue: Queue) -> None:
    """The age passes to which ended jobs are kept: ids that a stop left in a set go too."""
    world.clock.advance(queue.completed.age)
    await _claimed(world, queue, "retains")


async def _strike(world: World, queue: Queue, verb: Verb, n: int) -> bool:
    """Run the verb with a fault at its n-th write; False where it has fewer writes."""
    fault = await failing(world, verb.name, n)
    try:
        await verb.act(world.store, queue)
    except StoreError as error:
        return bool(await fault.struck(error))
    assert not await fault.command()
    return False


async def _kill(world: World, queue: Queue, verb: Verb, n: int) -> None:
    """Run the verb with every write from the n-th on failing, so that it can undo nothing, and
    repeat it if it failed."""
    fault = await failing(world, verb.name, n, killed=True)
    try:
        await verb.act(world.store, queue)
    except StoreError as error:
        await fault.struck(error)
        await verb.act(world.store, queue)
    else:
        assert n > 1


every_verb = pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
every_write = pytest.mark.parametrize("n", range(1, MOST_WRITES))


@every_verb
async def test_the_table_covers_every_write_of_the_verb(world: World, verb: Verb) -> None:
    queue = await _prepare(world)

    assert await _strike(world, queue, verb, 1)
    assert not await _strike(world, queue, verb, MOST_WRITES)


@every_verb
@every_write
async def test_after_a_failed_write_the_repeat_succeeds_and_nothing_is_lost_or_doubled(
    world: World, verb: Verb, n: int
) -> None:
    queue = await _prepare(world)
    if not await _strike(world, queue, verb, n):
        return
    await verb.act(world.store, queue)

    claimed = await _claimed(world, queue)

    assert sorted(claimed) == sorted((ACKNOWLEDGED | verb.new) - verb.gone)


@pytest.mark.parametrize("verb", _enqueues(), ids=lambda verb: "+".join(sorted(verb.new)))
@every_write
async def test_a_refused_enqueue_leaves_no_job_no_name_and_no_bytes(
    world: World, verb: Verb, n: int
) -> None:
    queue = await _prepare(world)
    before, usage = await world.probe.snapshot(), await world.store.stats(queue)
    if not await _strike(world, queue, verb, n):
        return

    for job_id in verb.new:
        with pytest.raises(JobNotFound):
            await world.store.inspect(queue, job_id)
    after, stats = await world.probe.snapshot(), await world.store.stats(queue)
    hints = ("agenda", "scalars")
    assert {k: v for k, v in after.items() if k not in hints} == {
        k: v for k, v in before.items() if k not in hints
    }
    assert (stats.jobs, stats.bytes) == (usage.jobs, usage.bytes)
    assert sorted(await _claimed(world, queue)) == sorted(ACKNOWLEDGED)


@every_verb
@every_write
async def test_a_failed_write_without_a_repeat_loses_no_acknowledged_job(
    world: World, verb: Verb, n: int
) -> None:
    queue = await _prepare(world)
    if not await _strike(world, queue, verb, n):
        return
    await repair(world.store, queue)

    claimed = await _claimed(world, queue)

    assert len(claimed) == len(set(claimed))
    assert set(claimed) >= ACKNOWLEDGED - verb.gone
    assert set(claimed) <= ACKNOWLEDGED | verb.new
    assert (await repair(world.store, queue, dry_run=True)).is_sound


@every_verb
@every_write
async def test_a_script_that_is_killed_at_a_write_heals_by_its_repeat_and_a_repair(
    world: World, verb: Verb, n: int
) -> None:
    queue = await _prepare(world)
    await _kill(world, queue, verb, n)
    await repair(world.store, queue)

    claimed = await _claimed(world, queue)

    assert sorted(claimed) == sorted((ACKNOWLEDGED | verb.new) - verb.gone)
    assert (await repair(world.store, queue, dry_run=True)).is_sound


@pytest.mark.one_shard
@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if verb.name in ("delete", "purge")], ids=lambda verb: verb.name
)
@every_write
async def test_a_delete_that_is_killed_and_repeated_counts_each_job_once(
    world: World, verb: Verb, n: int
) -> None:
    queue = await _prepare(world)
    await _kill(world, queue, verb, n)

    records = (await world.probe.snapshot()).get("records", {})
    assert (await world.store.stats(queue)).jobs == len([raw for raw in records.values() if raw])


@pytest.mark.parametrize("verb", _enqueues(), ids=lambda verb: "+".join(sorted(verb.new)))
@every_write
async def test_an_enqueue_that_is_killed_at_a_write_succeeds_when_it_is_repeated(
    world: World, verb: Verb, n: int
) -> None:
    queue = await _prepare(world)
    await _kill(world, queue, verb, n)

    assert sorted(await _claimed(world, queue)) == sorted(ACKNOWLEDGED | verb.new)


@pytest.mark.one_shard
@every_write
@pytest.mark.parametrize("killed", [False, True], ids=["once", "killed"])
async def test_an_enqueue_that_stops_while_completed_jobs_give_way_heals(
    world: World, n: int, killed: bool
) -> None:
    queue = world.app.queue("q", max_jobs=5)
    await world.store.enqueue(queue, jobs("old1", "old2", "old3", "old4"))
    owner = Owner(world.store, queue)
    await owner.finish(*await owner.claim())
    verb = Verb("enqueue", enqueue(*jobs("n", "n1", "n2")))

    if killed:
        await _kill(world, queue, verb, n)
    elif await _strike(world, queue, verb, n):
        await verb.act(world.store, queue)

    assert sorted(await _claimed(world, queue)) == ["n", "n1", "n2"]
    await _retain(world, queue)
    assert (await repair(world.store, queue, dry_run=True)).is_sound


@pytest.mark.one_shard
@every_write
@pytest.mark.parametrize("cancelled", [False, True], ids=["completed", "cancelled"])
async def test_a_kill_while_jobs_give_way_leaves_true_counts(
    world: World, n: int, *, cancelled: bool
) -> None:
    queue = world.app.queue("q", max_jobs=3)
    await world.store.enqueue(queue, jobs("old1", "old2", "old3"))
    owner = Owner(world.store, queue)
    await owner.finish(*await owner.claim(), kind="cancelled" if cancelled else "done")
    fault = await failing(world, "enqueue", n, killed=True)
    try:
        await world.store.enqueue(queue, jobs("n"))
    except StoreError as error:
        await fault.struck(error)
        records = (await world.probe.snapshot()).get("records", {})
        stored = [raw for raw in records.values() if raw and raw[0] != "w"]
        stats = await world.store.stats(queue)
        assert stats.jobs - len(stored) in (0, 1)  # the new job, if its record was written

    for round_ in range(3):  # the producer goes on: nothing is refused for ever
        answers = await world.store.enqueue(queue, jobs(f"m{round_}", "n"))
        assert all(answer.stored for answer in answers)
        await _claimed(world, queue, f"o{round_}")
    await _retain(world, queue)
    assert (await repair(world.store, queue, dry_run=True)).is_sound
