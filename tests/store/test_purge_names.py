"""The purge of names: what callers hold for a time goes; jobs, their names and our own stay."""

from __future__ import annotations

from typing import cast

import pytest

from shared.jobs.job import Guard, Job
from shared.store import Store
from shared.store.names import START, count_names, purge_names, purge_names_page
from shared.testing import FakeClock, Fate
from tests.store.conftest import Setting
from tests.support.probe import Probe
from tests.support.turns import Owner, jobs, numbered
from tests.support.values import Declare
from tests.support.world import World

YEAR_MS = 366 * 86_400_000
OURS = ("occurrence:a/b:1", "follow-up:x", "schedule:a/b", "x-1-1")


async def test_names_that_callers_hold_for_a_time_go_and_all_others_stay(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("window", dedup=Guard("dedup:a", YEAR_MS)))
    await store.enqueue(queue, jobs("live", dedup=Guard("dedup:b")))
    bulk = [Job("t", "{}", idempotency=Guard(f"key:c/{n}", YEAR_MS, "print")) for n in range(2)]
    await store.enqueue(queue, bulk)
    await store.enqueue(queue, [Job("t", "{}", idempotency=Guard(n, YEAR_MS)) for n in OURS])
    before = await probe.snapshot()

    assert await purge_names(store, queue) == 4  # a, c, c/0 and c/1

    after = await probe.snapshot()
    assert set(after.pop("dedup")) == {"dedup:b", *OURS}
    del before["dedup"]
    assert {**after, "scalars": None} == {**before, "scalars": None}
    (live,) = await store.enqueue(queue, jobs("live2", dedup=Guard("dedup:b")))
    (again,) = await store.enqueue(queue, jobs("window2", dedup=Guard("dedup:a", YEAR_MS)))
    assert (live.duplicate, again.duplicate) == (True, False)


async def test_any_number_of_names_goes_page_by_page(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    for call in range(4):
        names = [Guard(f"dedup:{call}-{n}", YEAR_MS) for n in range(500)]
        await store.enqueue(queue, [Job("t", "{}", dedup=name) for name in names])
    held = [Job("t", "{}", dedup=Guard(f"dedup:held-{n}")) for n in range(500)]
    await store.enqueue(queue, held)
    assert await count_names(store, "q") == 2500

    pages, cursor = list[int](), cast("str | None", START)
    while cursor is not None:
        purged, cursor = await purge_names_page(store, queue, cursor)
        pages.append(purged)

    assert sum(pages) == 2000
    assert all(page < 2000 for page in pages)
    assert await count_names(store, "q") == 500
    assert await purge_names(store, queue) == 0


async def test_a_queue_without_names_is_purged_of_none_and_gets_no_entry(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()

    assert await purge_names(store, queue) == 0
    assert await probe.snapshot() == {}


@pytest.mark.parametrize(
    "fate",
    [Fate.DELIVERED, Fate.LOST_BEFORE, Fate.LOST_AFTER, Fate.TWICE, Fate.ECHO, Fate.TRUNCATED],
)
async def test_a_reply_that_is_lost_changes_no_count(world: World, fate: Fate) -> None:
    queue = world.app.queue("q")
    names = [Guard(f"dedup:{n}", YEAR_MS) for n in range(20)]
    await world.store.enqueue(queue, [Job("t", "{}", dedup=name) for name in names])
    lossy = world.client([fate])

    assert await purge_names(lossy, queue) == 20
    assert await purge_names(lossy, queue) == 0


async def test_jobs_of_purged_names_run_and_end_as_they_would(
    store: Store, declare: Declare, clock: FakeClock, setting: Setting
) -> None:
    queue = declare(shards=setting.shards)
    await store.enqueue(queue, numbered(3, dedup=None))
    await store.enqueue(queue, jobs("a", dedup=Guard("dedup:a", YEAR_MS)))
    await purge_names(store, queue)
    owner = Owner(store, queue)

    claims = await owner.claim(4)
    reply = await owner.finish(*claims)

    assert len(claims) == 4
    assert reply.stale == frozenset()
