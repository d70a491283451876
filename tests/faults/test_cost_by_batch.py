"""What a batch costs with each capability, from its enqueue to its end: exact counts, and the table
of docs/cost.md, which is made of them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from shared import JobContext, KeyLimit, Queue, RateLimit
from shared.drain import drain as drains
from shared.jobs.job import Job
from shared.nudge.hops import Origin
from tests.faults.conftest import Play
from tests.support.children import ChildrenHere
from tests.support.nudges import SeenNudges
from tests.support.values import Number
from tests.support.world import World

BATCHES = (1, 20, 100)
Work = Callable[[], Awaitable[None]]
Case = Callable[[World, int], Work]
TEN = RateLimit(10, per=60)
MANY = RateLimit(1000, burst=1000)


def batch(queue: Queue, n: int, **options: Any) -> list[Job]:
    return [queue.types["t"].job(Number(n=i), **options) for i in range(n)]


def ticked(world: World, queue: Queue, jobs: list[Job]) -> Work:
    """One request enqueues them, and the next tick runs them."""

    async def work() -> None:
        await world.store.enqueue(queue, jobs)
        await world.drain().tick()

    return work


def plain(world: World, n: int) -> Work:
    queue = world.queue()
    return ticked(world, queue, batch(queue, n))


def limited(world: World, n: int) -> Work:
    queue = world.queue(limit=MANY, concurrency=200)
    return ticked(world, queue, batch(queue, n))


def keyed(world: World, n: int) -> Work:
    queue = world.queue(per_key=KeyLimit(rate=TEN, concurrency=2))
    jobs = [job for i in range(n) for job in batch(queue, 1, key=f"user-{i}")]
    return ticked(world, queue, jobs)


def scheduled(world: World, n: int) -> Work:
    queue = world.queue()
    for i in range(n):
        world.app.schedule(f"s{i}", queue.types["t"], Number(n=i), every=60)

    async def work() -> None:
        world.clock.advance(60)
        await world.drain().tick()

    return work


def followed(world: World, n: int) -> Work:
    queue, mail = world.queue(), world.queue("mail")
    return ticked(world, queue, batch(queue, n, then=batch(mail, 1)))


def nudged(world: World, n: int) -> Work:
    queue = world.queue()

    async def work() -> None:
        SeenNudges().on(world.store)
        await world.store.enqueue(queue, batch(queue, n))
        await world.drain(origin=Origin(0, nudged=True)).run([queue])

    return work


def isolated(world: World, n: int) -> Work:
    queue = world.app.queue("q")

    @queue.job("t", isolate=True)
    async def handle(payload: Number) -> None:
        await world.clock.sleep(1.0)

    return ticked(world, queue, batch(queue, n))


def encrypted(world: World, n: int) -> Work:
    queue = world.queue(encrypt=True)
    return ticked(world, queue, batch(queue, n))


def reporting(world: World, n: int) -> Work:
    return with_handler(world, n)


def reporting_long(world: World, n: int) -> Work:
    return with_handler(world, n, reports=3)


def with_handler(world: World, n: int, *, reports: int = 1) -> Work:
    """Jobs that write a log line and report progress so often, four seconds apart."""
    queue = world.app.queue("q")

    @queue.job("t")
    async def handle(payload: Number, job: JobContext) -> None:
        for i in range(reports):
            job.log("a line")
            job.progress(i)
            if reports > 1:
                await world.clock.sleep(4.0)

    return ticked(world, queue, batch(queue, n))


COMMANDS: dict[Case, tuple[str, tuple[int, int, int]]] = {
    plain: ("plain jobs", (20, 21, 22)),
    limited: ("a queue with a rate and a concurrency", (20, 21, 22)),
    keyed: ("keys with a rate and a concurrency, each job one of its own", (23, 24, 24)),
    encrypted: ("an encrypted queue", (20, 21, 22)),
    reporting: ("a log line and progress", (20, 21, 22)),
    reporting_long: ("three of each in jobs of 12 s", (32, 33, 36)),
    scheduled: ("occurrences of as many schedules", (25, 26, 27)),
    nudged: ("a nudge in place of the tick", (21, 22, 23)),
    followed: ("a follow-up of each, and its run", (50, 52, 54)),
    isolated: ("isolated handlers of 1 s, four at a time", (20, 63, 245)),
}
"""Billed commands of whole batches of 1, 20 and 100 jobs."""


@pytest.mark.parametrize("size", range(len(BATCHES)), ids=map(str, BATCHES))
@pytest.mark.parametrize("case", COMMANDS, ids=lambda case: case.__name__)
def test_a_batch_costs_exactly_this(
    play: Play[None], case: Case, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        drains, "new_children", ChildrenHere
    )  # real ones decide when turns are sent
    n, expected = BATCHES[size], COMMANDS[case][1][size]

    async def story(world: World) -> None:
        work, warm = case(world, n), world.queue("warm")
        await world.store.enqueue(warm, batch(warm, 1))
        await world.drain().tick()  # the sweep of a process's first tick; every script is known
        billed = world.store.meter.snapshot()

        await work()

        used = world.store.meter.since(billed)
        print(case.__name__, n, used.commands, used.requests, dict(used.by_verb))
        assert used.commands == expected
        assert (await world.store.stats(world.app.queues["q"])).totals["done"] == n
        assert world.store.meter.commands == world.protocol.meter.commands

    play(story)


def test_the_table_of_the_cost_page_is_made_of_these_counts() -> None:
    page = (Path(__file__).parents[2] / "docs/cost.md").read_text(encoding="utf-8")
    _, _, section = page.partition("\n## By batch\n")
    row = re.compile(r"^\| ([^|]+?) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", re.MULTILINE)

    assert row.findall(section) == [
        (name, *(f"{total / n:.4g}" for total, n in zip(totals, BATCHES, strict=True)))
        for name, totals in COMMANDS.values()
    ]
