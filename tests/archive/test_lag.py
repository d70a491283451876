"""The archive's lag as a metric: kept by maintain, read by a scrape at no command."""

from __future__ import annotations

from shared.archive.move import KEEP_SECONDS
from shared.observe.metrics import families
from tests.archive.world import World


async def lag(world: World) -> float:
    """What a scrape tells of queue "q"."""
    stats = await world.store.overview([world.queue])
    (family,) = (f for f in families(stats) if f.name == "tidegate_queue_archive_lag_seconds")
    (sample,) = family.samples
    return sample.value


async def test_the_lag_grows_until_a_run_has_archived(dying: World) -> None:
    before = await lag(dying)
    await dying.die("a", "b")
    unseen = await lag(dying)
    await dying.maintain(age=False)
    await dying.maintain(age=False)
    young = await lag(dying)
    dying.clock.advance(KEEP_SECONDS)
    old = await lag(dying)
    await dying.maintain(age=False)

    assert (before, unseen, young) == (0.0, 0.0, 0.0)
    assert old >= KEEP_SECONDS
    assert await dying.dead() == []
    assert await lag(dying) == 0.0


async def test_a_scrape_pays_nothing_and_a_run_one_command_where_it_changed(dying: World) -> None:
    meter = dying.store.meter

    async def scrape() -> int:
        before = meter.snapshot()
        await dying.store.overview([dying.queue])
        return meter.since(before).commands

    async def run() -> int:
        before = meter.snapshot()
        await dying.maintain(age=False)
        return meter.since(before).by_verb["oldest_deaths"]

    await dying.die("a")
    await scrape()  # the store learns the script
    unkept = await scrape()
    await run()
    kept, unchanged = await scrape(), await run()
    await dying.die("b", queue=dying.other)
    changed = await run()

    assert kept == unkept
    assert changed == unchanged + 1
