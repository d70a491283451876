"""Ended jobs stay readable up to a count and an age; dead letters until an operator acts."""

from __future__ import annotations

from shared import Retention
from shared.store import Store
from shared.testing import FakeClock
from tests.support.probe import Probe
from tests.support.turns import Owner, jobs, numbered, settle
from tests.support.values import Declare


async def test_the_youngest_completed_jobs_are_retained(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(completed=Retention(count=2))
    owner = Owner(store, queue)
    for job in numbered(5):
        await store.enqueue(queue, [job])
        await owner.finish(*await owner.claim())
        clock.advance(0.001)

    assert await probe.ids("q", "completed") == ["j003", "j004"]
    assert set((await probe.snapshot())["records"]) == {"j003", "j004"}


async def test_a_queue_that_keeps_none_leaves_no_record(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare(completed=Retention(count=0))
    await store.enqueue(queue, numbered(20))
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim(20))

    left = await probe.snapshot()

    assert "records" not in left
    assert "completed" not in left
    assert (await probe.totals())["done"] == 20


async def test_completed_and_cancelled_jobs_go_by_age(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(completed=Retention(age=600))
    await store.enqueue(queue, jobs("done", "stopped", "dead", "young"))
    owner = Owner(store, queue)
    claims = await owner.claim(3)
    kinds = ("done", "cancelled", "dead")
    await owner.turn(0, [settle(c, k) for c, k in zip(claims, kinds, strict=True)])  # type: ignore[arg-type]
    clock.advance(599)
    await owner.finish(*await owner.claim())
    clock.advance(61)

    await owner.turn()

    assert set((await probe.snapshot())["records"]) == {"dead", "young"}
    assert (await probe.scalars())["completed"] == "1"


async def test_a_backlog_of_old_jobs_goes_page_by_page_without_a_pause(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(completed=Retention(count=100_000, age=600))
    await store.enqueue(queue, numbered(1200))
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim(1200))
    clock.advance(700)
    for _ in range(3):
        await owner.turn()

    assert await probe.ids("q", "completed") == []
    assert "records" not in await probe.snapshot()


async def test_dead_letters_are_never_trimmed(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(completed=Retention(count=1, age=1), dead=Retention(count=1, age=1))
    await store.enqueue(queue, numbered(10))
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim(10), kind="dead")
    clock.advance(10 * 86_400)
    for _ in range(3):
        await owner.turn()
        clock.advance(3600)

    assert len(await probe.ids("q", "dead")) == 10


async def test_the_number_of_completed_jobs_keeps_up_with_any_batch(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare(completed=Retention(count=10))
    owner = Owner(store, queue)
    for turn in range(3):
        await store.enqueue(queue, numbered(900, f"t{turn}-"))
        await owner.finish(*await owner.claim(900))
        if turn:  # the first batch leaves more than a page, later ones no more than that
            assert len(await probe.ids("q", "completed")) <= 10

    assert len((await probe.snapshot())["records"]) == 10


async def test_cancelled_jobs_go_by_number_at_the_age_check(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(completed=Retention(count=10, age=6000))
    await store.enqueue(queue, numbered(30))
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim(1))
    for job in numbered(30)[1:]:
        clock.advance(0.001)
        await store.cancel(queue, job.id)
    clock.advance(600)

    await Owner(store, queue, "o2").turn()

    assert await probe.ids("q", "cancelled") == [f"j{i:03}" for i in range(20, 30)]
    assert set((await probe.snapshot())["records"]) == {
        "j000",
        *(f"j{i:03}" for i in range(20, 30)),
    }
