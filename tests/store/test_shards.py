"""Queues whose records are spread over several entries of the store (`shards`)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import pytest

from shared import App, Queue
from shared.errors import JobNotFound, QueueFull, StoreError
from shared.jobs.claim import Claim
from shared.jobs.ids import new_id
from shared.jobs.job import Guard, Job
from shared.store import Store, keys
from shared.store.repair import repair
from shared.store.usage import Usage, fullness
from shared.testing import FakeClock
from tests.support.failing import failing
from tests.support.probe import Probe
from tests.support.records import record
from tests.support.turns import Owner, ids, jobs, numbered, settle
from tests.support.values import Number
from tests.support.world import World

pytestmark = pytest.mark.one_shard


def declared(shards: int, **options: object) -> Queue:
    """The queue "q" as one deployment declares it."""
    return App("tests").queue("q", shards=shards, **options)  # type: ignore[arg-type]


def in_shards(*ids_of: str, **options: object) -> list[Job]:
    """Jobs "a~1" …: with ids as we make them, but readable."""
    return jobs(*ids_of, **options)


async def stored(probe: Probe, shards: int) -> list[set[str]]:
    """The ids whose records are in each shard."""
    hashes = [await probe.run("HKEYS", probe.key("q", part)) for part in keys.records(shards)]
    return [{key.decode() for key in fields if not key.startswith(b":")} for fields in hashes]


# Where a record is


async def test_an_id_of_ours_says_its_shard(store: Store, probe: Probe) -> None:
    await store.enqueue(declared(3), in_shards("a~0", "b~1", "c~2", "d~2"))

    assert await stored(probe, 3) == [{"a~0"}, {"b~1"}, {"c~2", "d~2"}]


async def test_ids_that_callers_choose_are_spread_over_all_shards(
    store: Store, probe: Probe
) -> None:
    for prefix in ("order-", "2026-11-", "x"):
        await store.enqueue(declared(4), numbered(400, prefix))

    sizes = [len(some) for some in await stored(probe, 4)]
    assert sum(sizes) == 1200
    assert min(sizes) > 200
    assert max(sizes) < 400


async def test_one_shard_has_the_keys_and_numbers_of_a_queue_without_shards(
    store: Store, probe: Probe
) -> None:
    await store.enqueue(declared(1), [*in_shards("a~1"), *jobs("b")])

    assert await stored(probe, 2) == [{"a~1", "b"}, set()]
    assert "shards" not in await probe.scalars()


async def test_a_bulk_of_new_jobs_is_in_one_shard_and_the_next_bulk_in_another(
    world: World, probe: Probe
) -> None:
    queue = declared(3)

    @queue.job("t")
    async def handle(payload: Number) -> None:
        return None

    for _ in range(3):
        new_id(3, 4 * 2**20)  # the run of ids before this one is full
        await world.store.enqueue(queue, [handle.job(Number(n=n)) for n in range(100)])

    assert [len(some) for some in await stored(probe, 3)] == [100, 100, 100]


async def test_jobs_of_foreign_producers_go_to_the_emptiest_shard(
    store: Store, probe: Probe
) -> None:
    queue = declared(3)
    await store.enqueue(queue, in_shards("a~0", "b~2"))
    await probe.run("RPUSH", probe.key("q", "inbox"), *["{}"] * 5)

    claims = await Owner(store, queue).claim(10, resync=True)

    assert len(claims) == 7
    assert len((await stored(probe, 3))[1]) == 5


# A queue that grows


async def _every_kind(world: World, queue: Queue) -> tuple[Owner, Sequence[Claim]]:
    """A job in every place. Returns the owner of the active ones, and its claims."""
    store = world.store
    await store.enqueue(queue, jobs("dead", "done", "stopped", "parked"))
    owner = Owner(store, queue)
    claims = await owner.claim(4)
    kinds = ("dead", "done", "cancelled", "park")
    await owner.turn(0, [settle(c, k, 600_000) for c, k in zip(claims, kinds, strict=True)])  # type: ignore[arg-type]
    await store.enqueue(queue, jobs("active1", "active2"))
    active = await owner.claim(2)
    await store.enqueue(queue, [*numbered(30, "waiting"), *jobs("urgent", priority="high")])
    await store.enqueue(queue, jobs("delayed", delay_ms=1000))
    await store.enqueue(queue, jobs("guarded", dedup=Guard("dedup:name")))
    await store.enqueue(queue, jobs("keyed", idempotency=Guard("key:name", 60_000, "print")))
    return owner, active


@pytest.mark.parametrize(("before", "after"), [(1, 2), (1, 4), (2, 3), (3, 32)])
async def test_a_queue_with_jobs_in_every_place_grows(
    world: World, clock: FakeClock, before: int, after: int
) -> None:
    store, grown = world.store, declared(after)
    owner, (done, cancelled) = await _every_kind(world, declared(before))
    await store.enqueue(grown, numbered(20, "new"))

    places = {
        "dead": "dead",
        "done": "completed",
        "stopped": "cancelled",
        "parked": "parked",
        "active1": "active",
        "waiting007": "waiting",
        "urgent": "waiting",
        "delayed": "delayed",
        "new003": "waiting",
    }
    for job_id, state in places.items():
        assert (await store.inspect(grown, job_id)).state == state
    again = await store.enqueue(grown, jobs(*places))
    assert all(answer.duplicate for answer in again)
    (twin,) = await store.enqueue(grown, jobs("other", dedup=Guard("dedup:name")))
    (same,) = await store.enqueue(grown, jobs("o2", idempotency=Guard("key:name", 60_000, "print")))
    assert (twin.id, same.id) == ("guarded.q", "keyed.q")

    assert await store.cancel(grown, "waiting001") == "cancelled"
    assert await store.cancel(grown, "active2") == "cancel_requested"
    assert await store.redrive(grown, ["dead", "parked"]) == [True, True]
    assert await store.delete(grown, ["done", "stopped", "nobody"]) == [True, True, False]
    rows = await store.browse(grown, "cancelled")
    assert [row.id for row in rows] == ["waiting001.q"]
    settles = [settle(done), settle(cancelled, "retry", 1000)]
    reply = await store.turn(grown, owner.ask(0, settles))
    assert (reply.stale, reply.cancel) == (frozenset(), frozenset())

    again_owner = Owner(store, grown, "o2")
    clock.advance(2)
    claims = await again_owner.claim(100)
    expected = {"urgent", "delayed", "guarded", "keyed", "dead", "parked"}
    expected |= {f"waiting{i:03}" for i in range(30)} - {"waiting001"}
    expected |= {f"new{i:03}" for i in range(20)}
    assert set(ids(claims)) == expected
    await again_owner.finish(*claims)
    assert (await repair(store, grown, dry_run=True)).is_sound
    assert (await store.inspect(grown, "active1")).state == "completed"
    assert (await store.inspect(grown, "active2")).state == "cancelled"


async def test_a_running_job_of_a_smaller_queue_is_settled_and_recovered_when_it_has_grown(
    world: World, clock: FakeClock
) -> None:
    store = world.store
    await store.enqueue(declared(1), numbered(20))
    old = Owner(store, declared(1), "old")
    claims = await old.claim(20)
    await store.enqueue(declared(4), numbered(5, "new"))

    await old.turn(0, [settle(claim) for claim in claims[:10]])
    clock.advance(31)
    new = Owner(store, declared(4), "new")
    await new.turn(0)
    after = await new.claim(40, exclusive=False)

    assert len(after) == 15
    await new.finish(*after)
    assert (await store.stats(declared(4))).sizes["completed"] == 25
    assert (await repair(store, declared(4), dry_run=True)).is_sound


async def test_a_process_with_an_older_declaration_learns_the_number_of_shards(
    world: World, probe: Probe
) -> None:
    new, old = world.client(), world.client()
    await Owner(new, declared(4)).turn()
    await new.enqueue(declared(4), numbered(40))
    before = old.meter.snapshot()

    claims = await Owner(old, declared(1), "old").claim(40)
    await old.enqueue(declared(1), numbered(40, "more"))

    assert len(claims) == 40
    assert (await probe.totals()).get("lost", 0) == 0
    assert old.meter.since(before).requests == 3  # one of them was refused
    assert (await new.stats(declared(4))).jobs == 80
    assert all(len(some) > 5 for some in await stored(probe, 4))


@pytest.mark.parametrize(
    "verb", ["inspect", "cancel", "delete", "redrive", "browse", "stats", "purge", "repair"]
)
async def test_every_verb_sees_all_shards_with_an_older_declaration(
    world: World, verb: str
) -> None:
    await world.client().enqueue(declared(4), in_shards("a~0", "b~3"))
    store, queue = world.client(), declared(1)
    acts: dict[str, Callable[[], Awaitable[object]]] = {
        "inspect": lambda: store.inspect(queue, "b~3"),
        "cancel": lambda: store.cancel(queue, "b~3"),
        "delete": lambda: store.delete(queue, ["b~3"]),
        "redrive": lambda: store.redrive(queue, ["b~3"]),
        "browse": lambda: store.browse(queue, "dead"),
        "stats": lambda: store.stats(queue),
        "purge": lambda: store.purge(queue),
        "repair": lambda: repair(store, queue),
    }

    await acts[verb]()

    stats = await store.stats(queue)
    assert len(stats.usage) == 4
    assert stats.jobs == (0 if verb == "purge" else 2)
    assert (await repair(store, queue, dry_run=True)).is_sound


async def test_a_declaration_with_fewer_shards_later_changes_nothing(world: World) -> None:
    await world.store.enqueue(declared(4), numbered(40))
    fewer = world.client()

    await fewer.enqueue(declared(2), numbered(40, "more"))
    owner = Owner(fewer, declared(2))
    await owner.finish(*await owner.claim(100))

    stats = await fewer.stats(declared(2))
    assert (len(stats.usage), stats.sizes["completed"]) == (4, 80)


@pytest.mark.parametrize("n", range(1, 12))
@pytest.mark.parametrize("repeated_by", [1, 4])
async def test_the_enqueue_that_grows_a_queue_may_be_killed_at_any_write(
    world: World, n: int, repeated_by: int
) -> None:
    await world.store.enqueue(declared(1), numbered(10))
    batch = numbered(10, "new")
    fault = await failing(world, "enqueue", n, killed=True)
    try:
        await world.client().enqueue(declared(4), batch)
    except StoreError as error:
        await fault.struck(error)
    else:
        assert n > 1

    await world.client().enqueue(declared(repeated_by), batch)

    ran = []
    for shards in (1, 4):
        owner = Owner(world.client(), declared(shards), f"o{shards}")
        claims = await owner.claim(10)
        ran += ids(claims)
        await owner.finish(*claims)
    assert sorted(ran) == sorted([job.id for job in [*numbered(10), *batch]])
    assert (await world.store.stats(declared(4))).sizes["completed"] == 20


# Counts and bounds


async def test_stats_tell_what_each_shard_holds(store: Store) -> None:
    queue = declared(3)
    await store.enqueue(queue, in_shards("a~0", "b~1", "c~1"))
    one = len("a~0") + len(record())

    stats = await store.stats(queue)

    assert stats.usage == (Usage(1, one), Usage(2, 2 * one), Usage(0, 0))
    assert (stats.jobs, stats.bytes) == (3, 3 * one)


@pytest.mark.parametrize("bounds", [{"max_jobs": 8}, {"max_bytes": 8 * (3 + len(record()))}])
async def test_a_shard_takes_a_quarter_more_than_its_share_and_the_queue_no_more_than_its_bound(
    store: Store, bounds: dict[str, int]
) -> None:
    queue = declared(2, **bounds)

    answers = await store.enqueue(queue, in_shards(*(f"{i}~0" for i in range(6))))
    assert [answer.stored for answer in answers] == [True] * 5 + [False]
    stats = await store.stats(queue)
    assert fullness(stats.usage, queue.max_jobs, queue.max_bytes) == pytest.approx(1.0)
    (single,) = await store.enqueue(queue, in_shards("s~0"))
    assert isinstance(single.refusal, QueueFull)
    answers = await store.enqueue(queue, in_shards(*(f"{i}~1" for i in range(6))))
    assert [answer.stored for answer in answers] == [True] * 3 + [False] * 3
    with pytest.raises(QueueFull):
        await store.enqueue_one(queue, in_shards("t~1")[0])


async def test_only_completed_jobs_of_a_full_shard_give_way_to_a_job_of_it(
    store: Store, probe: Probe
) -> None:
    queue = declared(2, max_jobs=80)
    await store.enqueue(queue, in_shards(*(f"{i}~1" for i in range(20))))
    await store.enqueue(queue, in_shards(*(f"{i}~0" for i in range(50))))
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim(70))
    await store.enqueue(queue, in_shards("n~0"))

    other, full = (await stored(probe, 2))[1], (await stored(probe, 2))[0]
    assert len(other) == 20
    assert "n~0" in full
    assert (await repair(store, queue, dry_run=True)).is_sound


async def test_the_default_bound_of_bytes_is_for_each_shard() -> None:
    assert declared(1).max_bytes * 4 == declared(4).max_bytes
    assert declared(4, max_bytes=100).max_bytes == 100


async def test_a_repair_counts_shard_by_shard(store: Store, probe: Probe) -> None:
    queue = declared(3)
    await store.enqueue(queue, in_shards("a~0", "b~1", "c~2"))
    right = (await store.stats(queue)).usage
    await probe.run("HSET", probe.key("q", "records"), ":shards", "9 9 0 0", ":jobs", "1")

    repairs = await repair(store, queue)

    assert repairs.recounted
    assert (await store.stats(queue)).usage == right
    assert (await repair(store, queue, dry_run=True)).is_sound


async def test_an_id_of_a_shard_that_does_not_exist_is_unknown(store: Store) -> None:
    await store.enqueue(declared(2), in_shards("a~1"))

    for job_id in ("a~7", "a~0", "a"):
        with pytest.raises(JobNotFound):
            await store.inspect(declared(2), job_id)


# Cost: one command for each further shard that a read or a write touches


async def _commands(store: Store, act: Awaitable[object]) -> int:
    before = store.meter.snapshot()
    await act
    return store.meter.since(before).commands


@pytest.mark.parametrize(
    ("names", "commands"),
    [
        (("a~0",), 5),
        (("a~1",), 7),  # its read and its write; the queue's own fields are in the first shard
        (("a~0", "b~0"), 5),
        (("a~1", "b~1", "c~1"), 7),
        (("a~0", "b~1"), 7),
        (("a~0", "b~1", "c~2"), 9),
    ],
)
async def test_an_enqueue_costs_a_read_and_a_write_for_each_further_shard(
    store: Store, names: tuple[str, ...], commands: int
) -> None:
    queue = declared(3)
    await store.enqueue(queue, in_shards("warm~0"))

    assert await _commands(store, store.enqueue(queue, in_shards(*names))) == commands


@pytest.mark.parametrize("shard", [0, 1, 2])
async def test_a_turn_costs_a_command_for_each_further_shard_that_a_read_or_write_touches(
    store: Store, shard: int
) -> None:
    """Of one shard: settled jobs are read and written there, claimed ones are read there."""
    prices = []
    for queue, at in ((declared(1), 0), (declared(3), shard)):
        await store.enqueue(queue, in_shards(*(f"{queue.shards}{i}~{at}" for i in range(40))))
        owner = Owner(store, queue, f"o{queue.shards}")
        held = await owner.claim(20)
        assert len(held) == 20
        prices.append(await _commands(store, owner.turn(20, [settle(claim) for claim in held])))
        await owner.finish(*await owner.claim(100))

    plain, sharded = prices
    assert sharded - plain == (0 if shard == 0 else 2)


async def test_an_idle_turn_of_a_sharded_queue_costs_what_any_idle_turn_costs(
    store: Store,
) -> None:
    await Owner(store, App("a").queue("warm")).turn()
    plain = await _commands(store, Owner(store, App("a").queue("one")).turn())
    sharded = await _commands(store, Owner(store, App("a").queue("four", shards=4)).turn())

    assert plain == sharded


async def test_concurrent_functions_of_both_declarations_lose_and_double_nothing(
    world: World,
) -> None:
    clients = [(world.client(), declared(shards)) for shards in (1, 4, 1, 4)]
    await asyncio.gather(
        *(store.enqueue(queue, numbered(50, f"f{i}-")) for i, (store, queue) in enumerate(clients))
    )
    ran: Counter[str] = Counter()
    for i, (store, queue) in enumerate(clients):
        owner = Owner(store, queue, f"o{i}")
        claims = await owner.claim(60)
        ran.update(ids(claims))
        await owner.finish(*claims)

    assert len(ran) == 200
    assert set(ran.values()) == {1}
