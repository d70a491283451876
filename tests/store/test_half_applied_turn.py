"""A turn may stop at any write. Whatever it wrote before: a repeat, or the next turns, finish it,
and every job ends in exactly one place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared import KeyLimit, Queue, RateLimit
from shared.declare.policy import Retention
from shared.errors import StoreError
from shared.jobs.job import Guard
from shared.jobs.outcome import Kind
from shared.store.repair import repair
from shared.store.turn import Settle
from tests.support.failing import failing
from tests.support.turns import Owner, jobs, settle
from tests.support.world import World

MOST_WRITES = 16
pytestmark = pytest.mark.each_write
PLACES = ("suspects", "high", "normal", "low", "delayed", "active", "parked", "backlogs")
ENDED = ("completed", "cancelled", "dead")
Prepare = Callable[[World, Queue, Owner], Awaitable[Sequence[Settle]]]


@dataclass(frozen=True)
class Turn:
    """`prepare` brings the queue to the turn and returns what it settles."""

    name: str
    prepare: Prepare
    want: int = 5
    options: dict[str, Any] = field(default_factory=dict)
    ask: dict[str, Any] = field(default_factory=dict)
    """What the turn requests besides."""


async def _waiting(world: World, queue: Queue, owner: Owner) -> list[Settle]:
    await world.store.enqueue(queue, [*jobs("a", "b"), *jobs("h", priority="high")])
    return []


def _settling(*kinds: tuple[Kind, int]) -> Prepare:
    async def prepare(world: World, queue: Queue, owner: Owner) -> list[Settle]:
        names = [f"j{i}" for i in range(len(kinds))]
        await world.store.enqueue(queue, jobs(*names))
        claims = await owner.claim(len(kinds), exclusive=False)
        await world.store.enqueue(queue, jobs("waiting"))
        return [settle(c, k, ms) for c, (k, ms) in zip(claims, kinds, strict=True)]

    return prepare


async def _crashed(world: World, queue: Queue, owner: Owner) -> list[Settle]:
    await world.store.enqueue(queue, jobs("a", "b"))
    await Owner(world.store, queue, "killed", lease_ms=1).claim()
    await world.store.enqueue(queue, jobs("waiting"))
    world.clock.advance(1)
    return []


async def _crashed_twice(world: World, queue: Queue, owner: Owner) -> list[Settle]:
    await _crashed(world, queue, owner)
    await Owner(world.store, queue, "killed2", lease_ms=1).claim(exclusive=False)
    world.clock.advance(1)
    return []


async def _due(world: World, queue: Queue, owner: Owner) -> list[Settle]:
    await world.store.enqueue(queue, jobs("a", "b", delay_ms=500))
    await world.store.enqueue(queue, jobs("p"))
    claims = await owner.claim()
    await owner.turn(0, [settle(claim, "park", 500) for claim in claims])
    world.clock.advance(1)
    return []


async def _mixed(world: World, queue: Queue, owner: Owner) -> Sequence[Settle]:
    await world.store.enqueue(queue, jobs("old1", "old2", "old3"))
    await owner.finish(*await owner.claim())
    await _crashed(world, queue, owner)
    await world.store.enqueue(queue, jobs("d", delay_ms=500))
    settles = await _settling(("done", 0), ("retry", 0), ("dead", 0), ("release", 0))(
        world, queue, owner
    )
    world.clock.advance(1)
    return settles


async def _aged(world: World, queue: Queue, owner: Owner) -> Sequence[Settle]:
    """Completed and cancelled jobs are due to be trimmed, and an expired name."""
    named = Guard("key:x", 1000, "print")
    await world.store.enqueue(queue, [*jobs("old1", "old2"), *jobs("old3", idempotency=named)])
    await owner.finish(*await owner.claim())
    await world.store.enqueue(queue, jobs("stopped1", "stopped2", "stopped3", delay_ms=90_000))
    for n in range(1, 4):
        await world.store.cancel(queue, f"stopped{n}")
    settles = await _settling(("done", 0), ("cancelled", 0), ("keep", 0))(world, queue, owner)
    world.clock.advance(29)
    await owner.turn(0, [settles[2]])
    world.clock.advance(29)
    await owner.turn(0, [settles[2]])
    world.clock.advance(3)
    return settles


async def _keyed(world: World, queue: Queue, owner: Owner) -> list[Settle]:
    """Two jobs of one key may start, three join its backlog; another key stands behind."""
    await world.store.enqueue(queue, [*jobs("k1", "k2", "k3", "k4", "k5", key="k"), *jobs("o")])
    return []


async def _key_with_backlog(world: World, queue: Queue, owner: Owner) -> Sequence[Settle]:
    """Two of its jobs have ended, so two of its backlog may start. One of those was cancelled."""
    await _keyed(world, queue, owner)
    claims = await owner.claim(5, exclusive=False)
    assert [claim.id for claim in claims] == ["k1", "k2", "o"]
    await world.store.cancel(queue, "k3")
    return [settle(claim) for claim in claims[:2]]


async def _key_of_dead_function(world: World, queue: Queue, owner: Owner) -> Sequence[Settle]:
    await _keyed(world, queue, owner)
    await Owner(world.store, queue, "killed", lease_ms=1).claim(5, exclusive=False)
    world.clock.advance(1)
    return []


async def _key_to_forget(world: World, queue: Queue, owner: Owner) -> Sequence[Settle]:
    await world.store.enqueue(queue, jobs("k1", key="k"))
    await owner.finish(*await owner.claim())
    world.clock.advance(1200)
    await world.store.enqueue(queue, jobs("o1", "o2", key="o"))
    return []


async def _key_of_suspects(world: World, queue: Queue, owner: Owner) -> Sequence[Settle]:
    """Two suspects of one key, of which one may run; another job of it waits for both."""
    await world.store.enqueue(queue, jobs("k1", "k2", key="k"))
    for name in ("killed", "killed2", "killed3", "killed4"):
        await Owner(world.store, queue, name, lease_ms=1).claim(exclusive=False)
        world.clock.advance(1)
    await owner.turn(0)
    await world.store.enqueue(queue, jobs("k3", key="k"))
    return []


async def _decided(world: World, queue: Queue, owner: Owner) -> Sequence[Settle]:
    """Ends of two jobs are decided, and their function died before it settled them."""
    await world.store.enqueue(queue, jobs("a", "b", key="k"))
    dead = Owner(world.store, queue, "killed", lease_ms=1000)
    await dead.turn(0, [settle(claim, "decide") for claim in await dead.claim()])
    await world.store.enqueue(queue, jobs("c", key="k"))
    world.clock.advance(1)
    return []


ONE_OF_A_KEY = {"per_key": KeyLimit(concurrency=1)}
KEYED = {"per_key": KeyLimit(rate=RateLimit(4, per=60), concurrency=2)}
KINDS: list[tuple[Kind, int]] = [
    ("done", 0),
    ("dead", 0),
    ("retry", 0),
    ("retry", 500),
    ("release", 0),
    ("snooze", 500),
    ("park", 60_000),
    ("cancelled", 0),
    ("keep", 0),
    ("decide", 0),
]
ISOLATED = {"exclusive": False, "isolated": True}
TURNS = [
    Turn("claim", _waiting),
    *(
        Turn(f"{kind} {ms} want {want}", _settling((kind, ms), (kind, ms)), want)
        for want in (0, 5)
        for kind, ms in KINDS
    ),
    *(
        Turn(f"{name} want {want}", prepare, want)
        for want in (0, 5)
        for name, prepare in (("recover", _crashed), ("suspect", _crashed_twice), ("due", _due))
    ),
    Turn("mixed", _mixed, 3, {"completed": Retention(count=2)}),
    Turn("mixed want 0", _mixed, 0, {"completed": Retention(count=2)}),
    *(
        Turn(f"{name} want {want}", prepare, want, KEYED)
        for want in (0, 5)
        for name, prepare in (
            ("key", _keyed),
            ("key with backlog", _key_with_backlog),
            ("key of dead function", _key_of_dead_function),
            ("key to forget", _key_to_forget),
        )
    ),
    Turn("isolated suspects", _crashed_twice, ask=ISOLATED),
    Turn("isolated suspects of a key", _key_of_suspects, options=ONE_OF_A_KEY, ask=ISOLATED),
    *(
        Turn(f"decided, of a dead function, want {want}", _decided, want, options)
        for want in (0, 5)
        for options in ({}, KEYED)
    ),
    Turn("aged", _aged, 3, {"completed": Retention(count=2, age=60)}),
    Turn("aged want 0", _aged, 0, {"completed": Retention(count=1, age=1)}),
]
every_turn = pytest.mark.parametrize("turn", TURNS, ids=lambda turn: turn.name)
repeats = pytest.mark.parametrize("repeated", [True, False], ids=["repeated", "not repeated"])


async def _strike(
    world: World, owner: Owner, turn: Turn, settles: Sequence[Settle], n: int, *, killed: bool
) -> str:
    """Take the turn with a fault at its n-th write, or at every write from there on. Returns the
    command that failed first; "" where the turn has fewer writes."""
    fault = await failing(world, "turn", n, killed=killed)
    try:
        await owner.turn(turn.want, settles, **turn.ask)
    except StoreError as error:
        return await fault.struck(error)
    assert n > 1
    assert not await fault.command()
    return ""


async def _drain(world: World, queue: Queue) -> Counter[str]:
    """The next functions claim and finish whatever they can. How often each job was handed out."""
    owner, runs = Owner(world.store, queue, "next"), Counter[str]()
    for _ in range(8):
        world.clock.advance(61)
        claims = (await owner.turn(20)).claims
        runs.update(claim.id for claim in claims)
        await owner.finish(*claims)
    return runs


async def _check(world: World, queue: Queue, jobs_before: set[str]) -> None:
    if queue.per_key:  # as the agenda requires after a write that failed
        await Owner(world.store, queue, "recounts").turn(0, resync=True)
    snapshot = await world.probe.snapshot(queue.name)
    assert not {part: snapshot[part] for part in PLACES if part in snapshot}
    places = [job_id for part in ENDED for job_id in snapshot.get(part, ())]
    assert sorted(places) == sorted(snapshot.get("records", ()))
    assert set(places) <= jobs_before
    if queue.completed.count > len(jobs_before):
        assert set(places) == jobs_before
        assert (await world.probe.totals(queue.name)).get("done", 0) <= len(jobs_before)
    assert int((await world.probe.scalars(queue.name)).get("active", 0)) == 0
    repairs = await repair(world.store, queue, dry_run=True)
    assert (repairs.requeued, repairs.restored, repairs.removed) == (0, 0, 0)
    # A turn that is killed between two shards leaves their counts to a repair (decision 17).
    assert queue.shards > 1 or not repairs.recounted


@every_turn
@repeats
@pytest.mark.parametrize("killed", [False, True], ids=["once", "killed"])
async def test_a_turn_that_stops_is_finished_by_its_repeat_or_by_the_next_turns(
    world: World, turn: Turn, *, repeated: bool, killed: bool
) -> None:
    for n in range(1, MOST_WRITES):
        queue = world.app.queue(f"q{n}", **turn.options)
        owner = Owner(world.store, queue, "struck")
        settles = await turn.prepare(world, queue, owner)
        before = set((await world.probe.snapshot(queue.name))["records"])
        command = await _strike(world, owner, turn, settles, n, killed=killed)
        if repeated:
            await owner.again()
        runs = await _drain(world, queue)
        try:
            assert not runs or max(runs.values()) == 1
            await _check(world, queue, before)
        except AssertionError as error:
            raise AssertionError(f"write {n}, {command}") from error
        if not command:
            return
    pytest.fail("MOST_WRITES is too small")
