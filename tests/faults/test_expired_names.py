"""Names of guards over days: expired ones do not pile up."""

from __future__ import annotations

from shared.jobs.job import Guard, Job
from tests.support.world import World

DAY = 86_400
CALLS, JOBS = 20, 500


async def test_expired_names_go_as_fast_as_names_come(world: World) -> None:
    queue, probe = world.app.queue("q"), world.probe
    for call in range(8 * CALLS):
        guards = [Guard(f"key:{call}-{i}", DAY * 1000, "print") for i in range(JOBS)]
        await world.store.enqueue(queue, [Job("t", "{}", idempotency=guard) for guard in guards])
        world.clock.advance(DAY / CALLS)

    names, alive = int(await probe.run("HLEN", probe.key("q", "dedup"))), CALLS * JOBS
    print(f"{names} names of which {alive} hold")
    assert names <= 2 * alive + JOBS
