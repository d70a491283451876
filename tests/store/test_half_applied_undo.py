"""A script that undoes its writes leaves what stood before it, whichever of them failed: names that
were held or had expired, records without a place, sets that an id had left already."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from shared import App, Queue
from shared.declare.idempotency import Key
from shared.errors import IdempotencyMismatch, StoreError
from shared.jobs.job import Guard, Job
from shared.store.deaths import RestoreRequest
from tests.support.failing import failing
from tests.support.records import record
from tests.support.turns import Owner, ids, jobs, settle
from tests.support.world import World

pytestmark = pytest.mark.each_write
MOST_WRITES = 12
HINTS = ("agenda", "scalars")
"""What may say, after an undo, that there is more to do than there is."""
Act = Callable[[], Awaitable[Any]]
Prepare = Callable[[World], Awaitable[Act]]
every_write = pytest.mark.parametrize("n", range(1, MOST_WRITES))


def bulk(*names: str) -> list[Job]:
    """A request of several jobs under one idempotency key; its fingerprint is of their names."""
    key = Key.of("k", {"jobs": list(names)})
    return [
        job
        for at, name in enumerate(names)
        for job in jobs(name, idempotency=key.guard(at)._replace(ttl_ms=60_000))
    ]


def enqueue(world: World, queue: Queue, batch: Sequence[Job]) -> Act:
    return lambda: world.store.enqueue(queue, batch)


def declare(max_jobs: int = 1000) -> Queue:
    return App("again").queue("q", max_jobs=max_jobs)


async def _nothing(world: World) -> Act:
    return enqueue(world, declare(), bulk("a", "b"))


async def _request(world: World) -> Act:
    first, second = await world.store.enqueue(declare(max_jobs=1), bulk("a", "b"))
    assert (first.stored, second.stored) == (True, False)
    return enqueue(world, declare(), bulk("a", "b"))


async def _expired_request(world: World) -> Act:
    act = await _request(world)
    world.clock.advance(61)
    return act


async def _request_of_a_duplicate(world: World) -> Act:
    """The first job of the request was answered by the holder of its name."""
    name = Guard("dedup:d")
    await world.store.enqueue(declare(), jobs("holder", dedup=name))
    first, second = bulk("a", "b")
    batch = [Job("t", "{}", id="a", dedup=name, idempotency=first.idempotency), second]
    answers = await world.store.enqueue(declare(max_jobs=1), batch)
    assert [(one.stored, one.duplicate) for one in answers] == [(True, True), (False, False)]
    return enqueue(world, declare(), batch)


async def _expired_name(world: World) -> Act:
    await world.store.enqueue(declare(), jobs("holder", dedup=Guard("dedup:d", 1000)))
    world.clock.advance(2)
    return enqueue(world, declare(), jobs("a", "b", dedup=Guard("dedup:d", 1000)))


async def _name_of_a_lost_job(world: World) -> Act:
    await world.store.enqueue(declare(), jobs("holder", dedup=Guard("dedup:d")))
    await world.probe.remove("q", "holder")
    await world.probe.run("LREM", world.probe.key("q", "normal"), 0, "holder")
    return enqueue(world, declare(), jobs("a", dedup=Guard("dedup:d")))


async def _ended(world: World) -> Queue:
    """Two dead letters, one of which had a name, and a parked job."""
    queue = declare()
    await world.store.enqueue(queue, jobs("dead", dedup=Guard("dedup:d")))
    await world.store.enqueue(queue, jobs("dead2", "parked"))
    owner = Owner(world.store, queue)
    claims = await owner.claim(3)
    kinds = ("dead", "dead", "park")
    await owner.turn(0, [settle(c, k, 60_000) for c, k in zip(claims, kinds, strict=True)])  # type: ignore[arg-type]
    world.clock.advance(1)
    return queue


async def _dead_and_parked(world: World) -> Act:
    queue = await _ended(world)
    return lambda: world.store.redrive(queue, ["dead", "dead2", "parked"])


async def _dead_whose_name_had_another_holder(world: World) -> Act:
    queue = await _ended(world)
    await world.store.enqueue(queue, jobs("lost", dedup=Guard("dedup:d")))
    await world.probe.remove("q", "lost")
    await world.probe.run("LREM", world.probe.key("q", "normal"), 0, "lost")
    return lambda: world.store.redrive(queue, ["dead", "dead2", "parked"])


async def _archived(world: World) -> Act:
    queue = declare()
    letters = [RestoreRequest(one, f"{one}-1-1", record("x", dedup=f"dedup:{one}")) for one in "ab"]
    await world.store.deaths.restore(queue, letters[:1], names_ms=1000)
    owner = Owner(world.store, queue)
    await owner.turn(0, [settle(claim, "dead") for claim in await owner.claim()])
    await world.store.delete(queue, ["a"])
    world.clock.advance(2)  # its row's name has expired
    return lambda: world.store.deaths.restore(queue, letters, names_ms=10**9)


BEFORE: dict[str, tuple[str, Prepare]] = {
    "nothing": ("enqueue", _nothing),
    "the name of the request": ("enqueue", _request),
    "the expired name of the request": ("enqueue", _expired_request),
    "the name of a request with a duplicate": ("enqueue", _request_of_a_duplicate),
    "an expired name": ("enqueue", _expired_name),
    "the name of a lost job": ("enqueue", _name_of_a_lost_job),
    "dead letters and a parked job": ("redrive", _dead_and_parked),
    "a name whose holder was lost": ("redrive", _dead_whose_name_had_another_holder),
    "the expired name of a row": ("restore", _archived),
}
every_before = pytest.mark.parametrize("before", BEFORE)


async def _strike(world: World, verb: str, act: Act, n: int) -> bool:
    """Run the verb with a fault at its n-th write; False where it has fewer."""
    fault = await failing(world, verb, n)
    try:
        await act()
    except StoreError as error:
        return bool(await fault.struck(error))
    assert not await fault.command()
    return False


async def _content(world: World) -> dict[str, Any]:
    """All that is stored but for hints; of the sets that a redrive empties the ids only."""
    content = {k: v for k, v in (await world.probe.snapshot()).items() if k not in HINTS}
    for part in {"dead", "parked"} & content.keys():
        content[part] = sorted(content[part])
    return content


async def _sizes(world: World) -> tuple[int, int]:
    stats = await world.store.stats(declare())
    return stats.jobs, stats.bytes


@every_before
@every_write
async def test_whichever_write_fails_all_that_stood_before_stands(
    world: World, before: str, n: int
) -> None:
    verb, prepare = BEFORE[before]
    act = await prepare(world)
    content, sizes = await _content(world), await _sizes(world)
    if not await _strike(world, verb, act, n):
        assert n > 4  # or the table has no case
        return

    assert await _content(world) == content
    assert await _sizes(world) == sizes


@every_write
async def test_a_repeat_that_fails_leaves_its_key_to_no_other_request(world: World, n: int) -> None:
    act = await _request(world)
    await _strike(world, "enqueue", act, n)

    others = await world.store.enqueue(declare(), bulk("c", "d"))

    assert [type(one.refusal) for one in others] == [IdempotencyMismatch] * 2
    assert all(one.stored for one in await world.store.enqueue(declare(), bulk("a", "b")))


@pytest.mark.parametrize("killed", range(1, 6))
@pytest.mark.parametrize("n", range(1, 6))
@pytest.mark.parametrize("options", [{}, {"delay_ms": 500}, {"dedup": Guard("dedup:d")}], ids=str)
async def test_a_repeat_that_fails_leaves_a_job_without_a_place_as_it_was(
    world: World, killed: int, n: int, options: dict[str, Any]
) -> None:
    queue, batch = declare(), [*jobs("a", **options), *jobs("b", priority="high")]
    act = enqueue(world, queue, batch)
    fault = await failing(world, "enqueue", killed, killed=True)
    try:
        await act()
    except StoreError as error:
        await fault.struck(error)
    content, sizes = await _content(world), await _sizes(world)
    if await _strike(world, "enqueue", act, n):
        assert await _content(world) == content
        assert await _sizes(world) == sizes
        await act()

    world.clock.advance(1)
    assert sorted(ids(await Owner(world.store, queue).claim())) == ["a", "b"]
