"""The commands of the API, counted for the alert on those of the month."""

from __future__ import annotations

from shared.store import Store
from shared.store.counters import COMMANDS
from shared.testing import FakeClock
from tests.scenario.world import TOKENS, Client, World, application


async def test_what_the_api_uses_is_counted_once_a_minute_and_its_drains_once(
    world: World, store: Store, clock: FakeClock
) -> None:
    api = Client(application(world, store, clock, store_commands=1000), TOKENS["admin"])
    for _ in range(3):
        clock.advance(60)
        await api.enqueue("double")
        await api.tick("?queue=work")  # not before a minute has passed

    used = store.meter.commands
    counts = await store.access.counts()
    stats = await store.stats(world.work)
    await api.aclose()

    counted = counts["commands"] + stats.counters.get(COMMANDS, 0)
    assert store.meter.by_verb["counts"] == 3 + 1
    assert used * 0.5 < counted <= used


async def test_without_a_plan_nothing_is_written(world: World, store: Store, api: Client) -> None:
    await api.enqueue("double")

    assert "counts" not in store.meter.by_verb
    assert world.ran == []
