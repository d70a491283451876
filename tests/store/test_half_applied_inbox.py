"""A turn that takes records from the inbox may stop at any write: each record becomes one job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared import Queue
from shared.errors import StoreError
from shared.store.repair import repair
from tests.support.failing import failing
from tests.support.turns import Owner, jobs, numbered, settle
from tests.support.world import World

pytestmark = pytest.mark.each_write
MOST_WRITES = 12
every_write = pytest.mark.parametrize("n", range(1, MOST_WRITES))
killed_or_not = pytest.mark.parametrize("killed", [False, True], ids=["fails", "killed"])


async def _strike(
    world: World, owner: Owner, n: int, want: int, *, killed: bool, settling: bool = True
) -> None:
    """A turn that recounts the queue, with a fault at its n-th write or from there on."""
    settles = [settle(claim) for claim in await owner.claim(1)] if settling else []
    fault = await failing(world, "turn", n, killed=killed)
    try:
        await owner.turn(want, settles, resync=True)
    except StoreError as error:
        await fault.struck(error)
    else:  # it has fewer writes, or leaves the inbox to the next turn
        assert (await fault.command()) in ("", "HSET", "RENAME")


async def _push(world: World, *bodies: str) -> None:
    await world.probe.run("RPUSH", world.probe.key("q", "inbox"), *bodies)
    await world.probe.run("ZADD", world.probe.key("q", "agenda"), 0, "q")


async def _bodies(world: World, queue: Queue, rounds: int = 6) -> Counter[str]:
    """What all jobs of the inbox are handed out as from now on, while the next turns recount the
    queue."""
    owner, bodies = Owner(world.store, queue, "next"), Counter[str]()
    for _ in range(rounds):
        world.clock.advance(61)
        claims = (await owner.turn(20, resync=True)).claims
        bodies.update(str(claim.body) for claim in claims if claim.foreign)
        await owner.finish(*claims)
    return bodies


@every_write
@killed_or_not
@pytest.mark.parametrize("repeated", [True, False], ids=["repeated", "not repeated"])
@pytest.mark.parametrize("want", [0, 4])
async def test_each_record_becomes_one_job_wherever_the_turn_stops(
    world: World, n: int, *, killed: bool, repeated: bool, want: int
) -> None:
    queue = world.app.queue("q")
    owner = Owner(world.store, queue)
    await world.store.enqueue(queue, jobs("o1", "o2"))
    await _push(world, "a", "b", "b", "c")

    await _strike(world, owner, n, want, killed=killed)
    if repeated:
        await owner.again()
    await _push(world, "b", "d")
    bodies = await _bodies(world, queue)

    runs = {"a": 1, "b": 3, "c": 1, "d": 1}
    assert {body: bodies[body] for body in runs} == runs  # a dead owner's claims come back once
    stats = await world.store.stats(queue)
    assert (stats.sizes["completed"], stats.sizes["inbox"]) == (8, 0)
    assert (await repair(world.store, queue, dry_run=True)).is_sound


@every_write
@killed_or_not
async def test_a_turn_that_finishes_the_page_of_another_may_stop_too(
    world: World, n: int, *, killed: bool
) -> None:
    queue = world.app.queue("q")
    owner = Owner(world.store, queue)
    for first in range(1, MOST_WRITES):
        await _push(world, "a", "b")
        await _strike(world, owner, first, 1, killed=True)
        await _strike(world, owner, n, 1, killed=killed)
        if not (await world.store.stats(queue)).sizes["inbox"]:
            break

    await _bodies(world, queue)

    stats = await world.store.stats(queue)
    assert stats.sizes["completed"] == 2 * first
    found = await repair(world.store, queue, dry_run=True)
    assert (found.requeued, found.restored, found.removed) == (0, 0, 0)
    assert (
        found.is_sound or queue.shards > 1
    )  # the bytes that a stop between two shards left uncounted
    await repair(world.store, queue)
    assert (await repair(world.store, queue, dry_run=True)).is_sound


@every_write
@killed_or_not
@pytest.mark.parametrize("cancelled", [0, 1, 2])
async def test_a_cancel_in_between_costs_no_other_job_its_place(
    world: World, n: int, *, killed: bool, cancelled: int
) -> None:
    queue = world.app.queue("q")
    await _push(world, "a", "b", "c")
    await _strike(world, Owner(world.store, queue), n, 0, killed=killed)
    records = (await world.probe.snapshot()).get("records", {})
    ids = sorted(job_id for job_id, raw in records.items() if raw)
    taken = ids[cancelled : cancelled + 1]
    for job_id in taken:
        await world.store.cancel(queue, job_id)

    bodies = await _bodies(world, queue)

    left = {"a", "b", "c"} - {"abc"[cancelled] for _ in taken}
    assert bodies == Counter(left)


RECORDS = ("a", "b", "b", "0 6 0 0 0", "~page 0 5 0", "c" * 150)
"""Also texts that look like what the queue itself notes, now or in earlier versions."""
BOUNDS: dict[str, dict[str, Any]] = {
    "few jobs": {"max_jobs": 3},
    "few bytes": {"max_bytes": 900},
}
Between = Callable[[World, Queue], Awaitable[int]]
"""What happens before the next turn; answers how many jobs of the inbox it takes away."""


async def _nothing(_world: World, _queue: Queue) -> int:
    return 0


async def _fill(world: World, queue: Queue) -> int:
    """The room goes to others, for some minutes."""
    names = [f"other{n}~{n % queue.shards}" for n in range(6)]
    await world.store.enqueue(queue, jobs(*names, delay_ms=200_000))
    return 0


async def _repair(world: World, queue: Queue) -> int:
    await repair(world.store, queue)
    return 0


async def _purge(world: World, queue: Queue) -> int:
    return await world.store.purge(queue)


async def _end(world: World, queue: Queue) -> int:
    """Of the jobs that the turn has stored, one is cancelled, and its record deleted."""
    records = (await world.probe.snapshot()).get("records", {})
    stored = (await world.store.stats(queue)).sizes["inbox"] < len(RECORDS)
    ids = sorted(name for name, raw in records.items() if name.startswith("~") and raw)
    for job_id in ids[1:2] if stored else []:
        await world.store.cancel(queue, job_id)
        await world.store.delete(queue, [job_id])
    return len(ids[1:2]) if stored else 0


async def _break_the_next_turn(world: World, queue: Queue) -> int:
    """At the write of its records, or where it has none at that of its lists."""
    second = Owner(world.store, queue, "second")
    await _strike(world, second, 4, 0, killed=True, settling=False)
    return 0


BETWEEN: dict[str, Between] = {
    "nothing": _nothing,
    "the queue is filled": _fill,
    "a repair": _repair,
    "a purge": _purge,
    "one ends": _end,
    "the next turn stops too": _break_the_next_turn,
}


@every_write
@killed_or_not
@pytest.mark.best_server  # hundreds of cases; the others run on GopherLua too
@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("between", BETWEEN)
async def test_each_record_becomes_one_job_whatever_room_there_is_and_whatever_comes_between(
    world: World, n: int, *, killed: bool, bounds: str, between: str
) -> None:
    queue = world.app.queue("q", **BOUNDS[bounds])
    await world.store.enqueue(queue, jobs("first~0"))  # so the records go to another shard
    await _push(world, *RECORDS)
    await _strike(world, Owner(world.store, queue), n, 0, killed=killed)

    gone = await BETWEEN[between](world, queue)
    bodies = await _bodies(world, queue, rounds=16)

    assert bodies <= Counter(RECORDS)
    assert bodies.total() + gone == len(RECORDS)
    assert (await world.store.stats(queue)).sizes["inbox"] == 0
    found = await repair(world.store, queue, dry_run=True)
    assert (found.requeued, found.restored, found.removed) == (0, 0, 0)


@every_write
@killed_or_not
async def test_a_producer_that_copies_all_it_can_read_costs_no_other_its_records(
    world: World, n: int, *, killed: bool
) -> None:
    queue = world.app.queue("q")
    await _push(world, *RECORDS)
    await _strike(world, Owner(world.store, queue), n, 0, killed=killed, settling=False)
    copies = [*await world.probe.read("q", "intake"), *await world.probe.read("q", "inbox")]
    copies += (await world.probe.scalars()).values()
    copies += [name for name in await world.probe.read("q", "records") if name[0] != ":"]

    await _push(world, *copies, "behind")
    bodies = await _bodies(world, queue)

    assert bodies == Counter([*RECORDS, *copies, "behind"])


@every_write
@killed_or_not
async def test_the_turn_that_finishes_a_page_says_that_records_are_left(
    world: World, n: int, *, killed: bool
) -> None:
    queue = world.app.queue("q")
    await _push(world, *(f"r{i:03}" for i in range(250)))
    owner = Owner(world.store, queue)
    await _strike(world, owner, n, 100, killed=killed, settling=False)
    reply, bodies = await owner.again(), Counter[str]()
    while reply.claims or reply.reason != "empty":
        bodies.update(str(claim.body) for claim in reply.claims)
        reply = await owner.turn(100, [settle(claim) for claim in reply.claims])

    assert bodies == Counter(f"r{i:03}" for i in range(250))


CHUNK = 1024
"""Ids that one command pushes, at most."""


@pytest.mark.parametrize("pushed", [0, 1, 50, 99])
@pytest.mark.parametrize("cancelled", [False, True], ids=["", "some cancelled"])
async def test_a_page_that_two_commands_push_gets_in_line_once(
    world: World, monkeypatch: pytest.MonkeyPatch, pushed: int, *, cancelled: bool
) -> None:
    """The turn returns many jobs to their list, so its second push, with the rest of the page, is
    another command; it is refused."""
    monkeypatch.setattr("tests.support.failing.WRITES", {"RPUSH"})
    queue, others = world.app.queue("q", max_jobs=5000), numbered(CHUNK - pushed, "other")
    for first in range(0, len(others), 500):
        await world.store.enqueue(queue, others[first : first + 500])
    owner = Owner(world.store, queue)
    claims = await owner.claim(CHUNK)
    await _push(world, *(f"{i}" for i in range(100)))
    fault = await failing(world, "turn", 2)
    with pytest.raises(StoreError) as refused:
        await owner.turn(0, [settle(claim, "retry") for claim in claims], resync=True)
    await fault.struck(refused.value)
    gone = {0, pushed - 1, pushed} - {-1} if cancelled else set[int]()
    for job_id in (await world.probe.snapshot())["records"]:
        if job_id[0] == "~" and int(job_id.split("-")[-1].split("~")[0]) - 1 in gone:
            await world.store.cancel(queue, job_id)

    bodies = Counter[str]()
    for name in ("o2", "o3", "o4"):
        claims = await Owner(world.store, queue, name).claim(500, resync=True)
        bodies.update(str(claim.body) for claim in claims if claim.foreign)

    assert bodies == Counter(str(i) for i in range(100) if i not in gone)
