"""Suspects in child processes: several at a time, beside all other jobs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.declare.app import Registry
from shared.declare.queue import Queue
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.drain.report import Report
from shared.jobs.claim import Claim
from shared.store import Store
from tests.support.isolated import Deed, app, handle, in_process, plain
from tests.support.turns import Owner


async def claim_and_die(store: Store, name: str, **how: bool) -> list[Claim]:
    """A function claims what waits and is gone; its leases have expired."""
    claims = await Owner(store, plain, name, lease_ms=1).claim(100, **how)
    await asyncio.sleep(0.002)  # by the store's own clock
    return claims


async def make_suspects(store: Store, deeds: Sequence[Deed]) -> list[str]:
    """Jobs of `plain` whose functions died twice in a row; their ids."""
    jobs = await in_process.enqueue_many([in_process.job(deed) for deed in deeds])
    for name in ("dead1", "dead2"):
        assert len(await claim_and_die(store, name, exclusive=False)) == len(deeds)
    await Owner(store, plain, "recovers").turn(0)
    return [job.id for job in jobs]


async def drain(store: Store, *queues: Queue, budget: float = 30.0) -> Report:
    one = Drain(store, Registry([app]), Budget.of(budget), patience=0, isolates_suspects=True)
    return await one.run(queues)


async def test_innocent_suspects_run_in_children_and_lose_no_attempt(store: Store) -> None:
    ids = await make_suspects(store, [Deed()] * 12)

    report = await drain(store, plain)

    views = [await plain.handle(job_id).status() for job_id in ids]
    assert report.outcomes == {"done": 12}
    assert {(view.state, view.attempts, view.crashes) for view in views} == {("completed", 1, 0)}
    assert os.getpid() not in {view.result["pid"] for view in views}
    assert report.queues[0].turns <= 2 + 12


async def test_the_guilty_one_dies_without_a_function_and_its_neighbours_do_not(
    store: Store,
) -> None:
    ids = await make_suspects(store, [Deed(), Deed(do="segfault"), Deed(), Deed()])

    report = await drain(store, plain)

    views = [await plain.handle(job_id).status() for job_id in ids]
    assert report.outcomes == {"done": 3, "dead": 1}
    assert [view.state for view in views] == ["completed", "dead", "completed", "completed"]
    assert views[1].errors[-1]["type"] == "ChildDied"
    assert "SIGSEGV" in views[1].errors[-1]["message"]


async def test_four_of_them_run_at_a_time(store: Store, tmp_path: Path) -> None:
    await make_suspects(store, [Deed(do="meet", arg=str(tmp_path))] * 4)
    assert (await drain(store, plain)).outcomes == {"done": 4}


async def test_they_run_beside_a_job_that_does_not_end(store: Store) -> None:
    await make_suspects(store, [Deed()] * 3)
    endless = await in_process.enqueue(Deed(do="hang"))
    draining = asyncio.ensure_future(drain(store, plain, budget=50.0))
    while (await store.stats(plain)).sizes["completed"] < 3:
        assert not draining.done()
        await asyncio.sleep(0.05)

    await endless.cancel()

    assert (await draining).outcomes == {"done": 3, "cancelled": 1}


async def test_a_suspect_that_a_function_died_of_in_spite_of_it_runs_exclusively(
    store: Store,
) -> None:
    (job_id,) = await make_suspects(store, [Deed()])
    assert len(await claim_and_die(store, "dead3", exclusive=False, isolated=True)) == 1

    report = await drain(store, plain)

    view = await plain.handle(job_id).status()
    assert report.outcomes == {"done": 1}
    assert (view.result["pid"], view.crashes) == (os.getpid(), 1)


async def test_where_no_child_can_be_had_they_run_exclusively(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await make_suspects(store, [Deed()] * 3)
    monkeypatch.setattr("sys.executable", "")

    report = await drain(store, plain)

    views = [await plain.handle(job_id).status() for job_id in ids]
    assert report.outcomes["done"] == 3
    assert {view.result["pid"] for view in views} == {os.getpid()}
    assert {(view.attempts, view.crashes) for view in views} == {(1, 0)}


async def test_one_whose_child_the_system_kills_runs_exclusively(store: Store) -> None:
    (job_id,) = await make_suspects(store, [Deed(do="killed", arg=str(os.getpid()))])

    report = await drain(store, plain)

    view = await plain.handle(job_id).status()
    assert (report.outcomes, view.state) == ({"released": 1, "done": 1}, "completed")
    assert (view.result["pid"], view.attempts, view.crashes) == (os.getpid(), 1, 0)


async def test_no_slot_is_lost_by_jobs_that_fail(store: Store) -> None:
    await handle.enqueue_many([handle.job(Deed(do="exit", arg="1")) for _ in range(6)])
    await handle.enqueue_many([handle.job(Deed(do="raise", arg="value")) for _ in range(6)])
    assert (await drain(store, handle.queue)).outcomes == {"retried": 12}
