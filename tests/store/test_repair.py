"""repair: live jobs in no list wait again, ids without a job go, and the rest stays as it is."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from shared import Queue
from shared.store import Store
from shared.store.repair import Repairs, repair
from shared.testing import FakeClock
from tests.support.probe import Probe
from tests.support.records import record
from tests.support.turns import Owner, ids, jobs, numbered, settle
from tests.support.values import Declare

SOUND = (0, 0, 0)


def counts(repairs: Repairs) -> tuple[int, int, int]:
    return repairs.requeued, repairs.restored, repairs.removed


async def drained(store: Store, queue: Queue, clock: FakeClock) -> list[str]:
    """All that can be claimed in the next minutes. As a drain does, the first turn recounts the
    queue if its agenda entry says so."""
    owner, claimed = Owner(store, queue, "last"), list[str]()
    for _ in range(6):
        resync = (await store.agenda()).get(queue.name) == 0
        claims = (await owner.turn(50, resync=resync)).claims
        claimed += ids(claims)
        await owner.finish(*claims)
        clock.advance(61)
    return sorted(claimed)


DAMAGE: dict[str, tuple[dict[str, Any], tuple[int, int, int], list[str]]] = {
    # what is seeded, (requeued, restored, removed), what can be claimed afterwards
    "a live record in no list": ({"records": {"a": record()}}, (1, 0, 0), ["a"]),
    "a live record of high priority": ({"records": {"a": record(priority="h")}}, (1, 0, 0), ["a"]),
    "a job to run exclusively in no list": (
        {"records": {"a": record(fence=1, reason="exclusive")}},
        (1, 0, 0),
        ["a"],
    ),
    "a live record with a stale lease": (
        {"records": {"a": record(fence=3)}, "active": {"a 2 o 1 0": 9_000_000_000_000}},
        *((1, 0, 0), ["a"]),
    ),
    "a live record among the dead": (
        {"records": {"a": record()}, "dead": {"a": 5}, "normal": ["a"]},
        *((0, 0, 1), ["a"]),
    ),
    "a live record in a list and delayed": (
        {"records": {"a": record()}, "delayed": {"a": 5}, "normal": ["a"]},
        *((0, 0, 1), ["a"]),
    ),
    "a dead record in no set": ({"records": {"a": record("x")}}, (0, 1, 0), []),
    "a completed record in no set": ({"records": {"a": record("c")}}, (0, 1, 0), []),
    "a cancelled record in a list": (
        {"records": {"a": record("k")}, "normal": ["a"]},
        *((0, 1, 0), []),
    ),
    "a parked record in no set": ({"records": {"a": record("p")}}, (0, 1, 0), ["a"]),
    "ids without a record": ({"normal": ["a"], "high": ["b"], "suspects": ["c"]}, (0, 0, 3), []),
    "members without a record": ({"delayed": {"a": 5}, "dead": {"b": 5}}, (0, 0, 2), []),
    "a damaged record": ({"records": {"a": "nonsense"}, "dead": {"a": 5}}, SOUND, []),
}


@pytest.mark.parametrize("case", DAMAGE)
async def test_each_kind_of_damage_is_reported_and_repaired(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock, case: str
) -> None:
    content, expected, claimable = DAMAGE[case]
    queue = declare()
    await probe.seed("q", content)
    before = await probe.snapshot()

    assert counts(await repair(store, queue, dry_run=True)) == expected
    assert await probe.snapshot() == before

    assert counts(await repair(store, queue)) == expected
    assert (await repair(store, queue, dry_run=True)).is_sound or case == "a damaged record"
    assert await drained(store, queue, clock) == claimable


async def test_a_repair_leaves_a_sound_queue_and_its_running_jobs_as_they_are(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, [*numbered(30), *jobs("late", delay_ms=5000)])
    owner = Owner(store, queue)
    held = await owner.claim(8)
    kinds = ("done", "dead", "park", "cancelled")
    await owner.turn(0, [settle(c, k, 1000) for c, k in zip(held, kinds, strict=False)])  # type: ignore[arg-type]
    before = await probe.snapshot()

    repairs = await repair(store, queue)

    assert repairs.is_sound
    assert repairs.jobs == 31
    assert await probe.snapshot() == before
    assert (await owner.finish(*held[4:])).stale == frozenset()


async def test_lost_counts_are_counted_again(store: Store, probe: Probe, declare: Declare) -> None:
    queue = declare()
    await store.enqueue(queue, numbered(10))
    right = await store.stats(queue)
    await probe.remove("q", ":jobs", ":bytes")

    assert (await repair(store, queue, dry_run=True)).recounted
    assert (await repair(store, queue)).recounted

    stats = await store.stats(queue)
    assert (stats.jobs, stats.bytes) == (right.jobs, right.bytes)


async def test_more_jobs_than_a_page_are_compared(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, numbered(1203))
    lost = [f"j{i:03}" for i in range(100, 1200, 11)]
    for job_id in lost:
        await probe.run("LREM", probe.key("q", "normal"), 1, job_id)

    assert counts(await repair(store, queue)) == (len(lost), 0, 0)
    assert sorted(await probe.ids("q", "normal")) == sorted(f"j{i:03}" for i in range(1203))


@pytest.mark.parametrize("seed", range(10))
async def test_after_random_damage_every_live_record_runs_exactly_once(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock, seed: int
) -> None:
    queue, rng = declare(), Random(seed)
    for priority in ("high", "normal", "low"):
        await store.enqueue(queue, numbered(12, priority[0], priority=priority))
    await store.enqueue(queue, numbered(6, "d", delay_ms=1000))
    parts = ("high", "normal", "low", "delayed")
    names = [name for part in parts for name in await probe.ids("q", part)]
    gone = set(rng.sample(names, 8))
    for job_id in gone:
        await probe.remove("q", job_id)
    for job_id in rng.sample(names, 15):
        for part in parts[:3]:
            await probe.run("LREM", probe.key("q", part), 0, job_id)
        await probe.run("ZREM", probe.key("q", "delayed"), job_id)

    await repair(store, queue)

    assert (await repair(store, queue, dry_run=True)).is_sound
    assert await drained(store, queue, clock) == sorted(set(names) - gone)
