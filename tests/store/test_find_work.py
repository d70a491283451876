"""The search for queues that have something: it finds each of them, with few commands where they
are few among many."""

from __future__ import annotations

import math
from random import Random

import pytest

from shared.store import keys
from shared.store.find_work import MOST_NAME_BYTES
from tests.support.world import World

PARTS = (keys.WORK, keys.CLAIMABLE, keys.FOREIGN, (*keys.FOREIGN, *keys.BACKLOGS))


async def fill(world: World, parts: dict[str, tuple[str, ...]], chosen: list[str]) -> None:
    """Put something into one or more of the parts of these queues, in a store that knows the
    script: its first call costs a request more."""
    await world.probe.run("SET", world.probe.key("first", "inbox"), "x")
    assert await world.store.find_work({"first": keys.FOREIGN}) == ["first"]
    dice = Random(len(chosen))
    for queue in chosen:
        for part in dice.sample(parts[queue], dice.randint(1, len(parts[queue]))):
            await world.probe.run("SET", world.probe.key(queue, part), "x")


@pytest.mark.one_shard
@pytest.mark.parametrize("number", [1, 2, 3, 64])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
async def test_each_queue_that_has_something_is_found(
    world: World, number: int, share: float
) -> None:
    dice = Random(number)
    parts = {f"q{i}": dice.choice(PARTS) for i in range(number)}
    chosen = [queue for queue in parts if dice.random() < share]
    await fill(world, parts, chosen)
    before = world.store.meter.snapshot()

    assert await world.store.find_work(parts) == chosen

    used = world.store.meter.since(before)
    halvings = math.ceil(math.log2(number)) if number > 1 else 0
    most = min(number - 1, len(chosen) * halvings)
    assert used.by_verb["sweep"] == 1
    assert used.by_verb.get("find", 0) <= (2 + most if chosen else 0)


@pytest.mark.one_shard
@pytest.mark.parametrize("position", [0, 499, 999])
async def test_one_queue_among_a_thousand_costs_its_halvings(world: World, position: int) -> None:
    parts = {f"q{i}": keys.FOREIGN for i in range(1000)}
    await fill(world, parts, [f"q{position}"])
    before = world.store.meter.snapshot()

    assert await world.store.find_work(parts) == [f"q{position}"]

    assert 2 + 9 <= world.store.meter.since(before).by_verb["find"] <= 2 + 10


@pytest.mark.one_shard
@pytest.mark.parametrize("chosen", [[1499], [3, 700, 1400]])
async def test_more_keys_than_a_command_can_take_go_in_several(
    world: World, chosen: list[int]
) -> None:
    parts = {f"q{i}": keys.WORK for i in range(1500)}
    assert sum(map(len, parts.values())) > 10_000  # GopherLua holds half of them
    names = [f"q{i}" for i in chosen]
    await fill(world, parts, names)
    before = world.store.meter.snapshot()

    assert await world.store.find_work(parts) == names

    used = world.store.meter.since(before)
    assert used.requests == 2
    assert used.by_verb["find"] <= 1 + 2 * 7 + 11 * len(names)


@pytest.mark.best_server
@pytest.mark.one_shard
@pytest.mark.parametrize("chosen", [[], [0, 3_000, 5_999]])
async def test_more_names_than_a_request_can_take_go_in_several(
    world: World, chosen: list[int]
) -> None:
    queues = [f"customer-{i:06}-".ljust(64, "x") for i in range(6_000)]
    parts = dict.fromkeys(queues, keys.WORK)
    names = [queues[i] for i in chosen]
    await fill(world, parts, names)
    before = world.store.meter.snapshot()

    assert await world.store.find_work(parts) == names

    used = world.store.meter.since(before)
    assert used.bytes_out > MOST_NAME_BYTES
    assert used.by_verb["sweep"] == 2
