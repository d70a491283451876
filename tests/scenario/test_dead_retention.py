"""`dead=Retention(...)` is applied by the sweeps; without it no dead letter is ever deleted."""

from __future__ import annotations

import logging
from itertools import repeat

import pytest

from shared import App, Discard, Retention
from shared.deadletters.retention import trim_dead_letters
from shared.declare.app import Registry
from shared.deployment import Deployment
from shared.store import Store
from shared.testing import FakeClock
from tests.scenario.world import settings
from tests.support.values import Number
from tests.support.world import World

DAY = 86_400.0
SWEEP = 301.0


def deployment_of(store: Store, clock: FakeClock, dead: Retention | None) -> Deployment:
    app = App("letters")
    queue = app.queue("q", dead=dead)

    @queue.job("t")
    async def fail(payload: Number) -> None:
        raise Discard("no")

    return Deployment(settings(), Registry([app]), clock=clock, open_store=lambda: store)


async def die(deployment: Deployment, clock: FakeClock, *names: str) -> None:
    """These jobs die, one after the other."""
    queue = deployment.registry.queue("q")
    for name in names:
        await deployment.store.enqueue(queue, [queue.types["t"].job(Number(), job_id=name)])
        await deployment.drain(deployment.budget(60), [queue])
        clock.advance(1)


async def die_together(deployment: Deployment, *names: str) -> None:
    """These jobs die in one drain, in this order."""
    queue = deployment.registry.queue("q")
    job_type = queue.types["t"]
    await deployment.store.enqueue(queue, [job_type.job(Number(), job_id=name) for name in names])
    await deployment.drain(deployment.budget(60), [queue])


async def kept(deployment: Deployment) -> list[str]:
    queue = deployment.registry.queue("q")
    rows = await deployment.store.list_jobs(queue, "dead")
    return [row.id.partition(".")[0] for row in rows]


async def sweep(deployment: Deployment, clock: FakeClock) -> None:
    clock.advance(SWEEP)
    await deployment.drain(deployment.budget(60))


async def test_the_youngest_are_kept_up_to_the_count(
    store: Store, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    deployment = deployment_of(store, clock, Retention(count=2, age=DAY))
    await die(deployment, clock, "a", "b", "c", "d")
    assert await kept(deployment) == ["d", "c", "b", "a"]

    with caplog.at_level(logging.WARNING):
        await sweep(deployment, clock)

    assert await kept(deployment) == ["d", "c"]
    (record,) = (one for one in caplog.records if one.msg == "dead_letters_deleted")
    assert (vars(record)["queue"], vars(record)["count"]) == ("q", 2)


async def test_none_is_kept_beyond_the_age(store: Store, clock: FakeClock) -> None:
    deployment = deployment_of(store, clock, Retention(count=100, age=DAY))
    await die(deployment, clock, "old")
    clock.advance(DAY / 2)
    await die(deployment, clock, "young")

    await sweep(deployment, clock)
    assert await kept(deployment) == ["young", "old"]
    clock.advance(DAY / 2)
    await sweep(deployment, clock)

    assert await kept(deployment) == ["young"]


async def test_the_count_holds_under_a_steady_flow(store: Store, clock: FakeClock) -> None:
    """More die between two sweeps than one page holds."""
    deployment = deployment_of(store, clock, Retention(count=10, age=DAY))
    for flood in range(3):
        names = [f"{flood}-{number:04}" for number in range(1_100)]
        await die_together(deployment, *names)
        await sweep(deployment, clock)

        assert sorted(await kept(deployment)) == sorted(names[-10:])


async def test_a_call_ends_in_time_and_the_next_one_goes_on(store: Store, clock: FakeClock) -> None:
    deployment = deployment_of(store, clock, Retention(count=0, age=DAY))
    await die_together(deployment, *map(str, range(1_100)))

    left = []
    for _ in range(3):
        await trim_dead_letters(store, deployment.registry.queues(), seconds=0)
        left.append((await store.stats(deployment.registry.queue("q"))).sizes["dead"])

    assert left == [600, 100, 0]


async def test_without_it_all_are_kept_and_a_sweep_costs_what_it_did(
    store: Store, clock: FakeClock
) -> None:
    deployment = deployment_of(store, clock, None)
    await die(deployment, clock, "a", "b", "c")
    await sweep(deployment, clock)
    clock.advance(400 * DAY)
    before = store.meter.snapshot()

    await sweep(deployment, clock)

    assert store.meter.since(before).commands == 2
    assert await kept(deployment) == ["c", "b", "a"]


@pytest.mark.parametrize("broken", ["a", "b", "c"])
@pytest.mark.parametrize("drains", [False, True])
async def test_a_queue_that_the_store_refuses_keeps_no_other_from_its_retention(
    world: World, *, broken: str, drains: bool
) -> None:
    app = App("letters")
    queues = [app.queue(name, dead=Retention(count=1)) for name in "abc"]
    for queue in queues:

        @queue.job("t")
        async def fail(payload: Number) -> None:
            raise Discard("no")

        await world.store.enqueue(queue, [fail.job(Number()) for _ in range(3)])
    clock = world.clock
    deployment = Deployment(
        settings(), Registry([app]), clock=clock, open_store=lambda: world.store
    )
    await deployment.drain(deployment.budget(60), queues)
    records = world.probe.key(broken, "records")
    await world.probe.run("DEL", records)
    await world.probe.run("SET", records, "no hash")
    await world.probe.run("ZADD", world.probe.key(broken, "agenda"), 0, broken)

    if drains:
        await sweep(deployment, clock)
    else:
        await trim_dead_letters(world.store, queues, seconds=10)

    sizes = [await world.probe.run("ZCARD", world.probe.key(name, "dead")) for name in "abc"]
    assert sizes == [3 if name == broken else 1 for name in "abc"]


async def test_it_ends_at_its_time_whatever_the_number_of_queues(world: World) -> None:
    app = App("letters")
    queues = [app.queue(f"q{i}", dead=Retention(count=1)) for i in range(9)]
    before = world.store.meter.snapshot()

    await trim_dead_letters(world.store, queues, seconds=0)

    assert world.store.meter.since(before).requests <= 2  # a script's first call is two


@pytest.mark.parametrize("error", ["ERR max daily request limit exceeded", "WRONGPASS no token"])
async def test_where_the_store_is_down_it_asks_for_one_queue(
    world: World, caplog: pytest.LogCaptureFixture, error: str
) -> None:
    app = App("letters")
    queues = [app.queue(f"q{i}", dead=Retention(count=1)) for i in range(9)]
    client = world.client(answers=repeat((400, {"error": error})))

    await trim_dead_letters(client, queues, seconds=10)

    assert [line.message for line in caplog.records] == ["dead_letters_kept"]
