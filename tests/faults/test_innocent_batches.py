"""How long the innocent jobs of dead functions take, in virtual time, and that other queues notice
nothing of them."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from shared import Queue
from shared.drain import drain as drains
from shared.drain.isolated import CHILDREN
from tests.faults.conftest import Play
from tests.support.children import ChildrenHere
from tests.support.turns import Owner
from tests.support.values import Number
from tests.support.world import World

JOBS = 100
ROUND_TRIP = 0.02


class Seen(NamedTuple):
    """Seconds from the beginning of a drain to the end of each job, by queue."""

    batch: list[float]
    others: list[float]


async def play_deaths(world: World, deaths: int, seconds: float) -> Seen:
    """A batch whose functions died so often in a row, and a healthy one on another queue."""
    began, seen = 0.0, Seen([], [])

    def declare(name: str, ends: list[float]) -> Queue:
        queue = world.app.queue(name)

        @queue.job("t")
        async def handle(payload: Number) -> None:
            await world.clock.sleep(seconds)
            ends.append(world.clock.monotonic() - began)

        return queue

    batch, others = declare("batch", seen.batch), declare("others", seen.others)
    for queue in (batch, others):
        await world.store.enqueue(queue, [queue.types["t"].job(Number()) for _ in range(JOBS)])
    for n in range(deaths):
        owner = Owner(world.store, batch, f"dead{n}", lease_ms=1)
        assert len(await owner.claim(JOBS, exclusive=False)) == JOBS
        await world.clock.sleep(0.01)
    client, began = world.client(latency=ROUND_TRIP), world.clock.monotonic()

    drain = world.drain(client, budget=3600, patience=0, isolates_suspects=True)
    report = await drain.run([batch, others])

    assert report.outcomes == {"done": 2 * JOBS}
    return seen


@pytest.mark.parametrize("seconds", [0.05, 1.0, 20.0])
@pytest.mark.parametrize("deaths", [0, 1, 2])
def test_the_innocent_batch_of_a_dead_function_takes_its_healthy_time(
    play: Play[Seen], monkeypatch: pytest.MonkeyPatch, deaths: int, seconds: float
) -> None:
    """After one death. After two in a row each runs in a child process: so many at a time."""
    monkeypatch.setattr(drains, "new_children", ChildrenHere)
    at_a_time = CHILDREN if deaths == 2 else JOBS

    seen = play(lambda world: play_deaths(world, deaths, seconds))

    print(f"{deaths} deaths, {seconds} s: {seen.batch[-1]:.2f} s; others {seen.others[-1]:.2f} s")
    healthy = seconds + 2 * ROUND_TRIP  # the store does not know the script at first
    assert max(seen.batch) <= 1.5 * healthy * JOBS / at_a_time
    assert max(seen.others) <= healthy + 0.001
