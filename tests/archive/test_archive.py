"""Dead letters move from Redis into Postgres: each is one row, and leaves Redis after that."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from shared import Queue, Retention
from shared.alerts.state_json import read_state
from shared.archive.lag import archive_lag
from shared.archive.move import KEEP_SECONDS
from shared.store import Store, keys
from shared.store.deaths import Death
from shared.testing import FakeClock
from tests.archive.world import World

DAY = 86_400.0


async def test_a_dead_letter_becomes_a_row_and_leaves_redis(dying: World) -> None:
    died = dying.clock.epoch_ms()
    await dying.die("a", key="user-1")
    await dying.die("b", queue=dying.other)
    report = await dying.maintain()

    assert (report.stop, report.tally.archived, report.tally.removed) == ("done", 2, 2)
    assert await dying.dead() == await dying.dead(dying.other) == []
    row, other = dying.rows()
    assert (row["queue_name"], row["job_id"], row["fence"]) == ("q", "a.q", 1)
    assert row["failed_at"] == datetime.fromtimestamp(died / 1000, UTC)
    assert (row["attempts"], row["crashes"], row["job_key"]) == (1, 0, "user-1")
    assert row["job_data"]["payload"] == {}
    assert other["job_id"] == "b.other"


async def test_a_young_death_stays(dying: World) -> None:
    await dying.die("old")
    dying.clock.advance(KEEP_SECONDS)
    await dying.die("young")

    await dying.maintain(age=False)

    assert [row["job_id"] for row in dying.rows()] == ["old.q"]
    assert await dying.dead() == ["young"]


async def test_several_queues_go_in_turns_and_the_next_run_goes_on(dying: World) -> None:
    await dying.die(*(f"{n:04}" for n in range(900)))
    await dying.die("small", queue=dying.other)
    dying.clock.advance(KEEP_SECONDS)
    pages: list[str] = []
    read = dying.store.deaths.read

    async def slow(queue: Queue, **options: int) -> list[Death]:
        pages.append(queue.name)
        dying.clock.advance(10)
        return await read(queue, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dying.store.deaths, "read", slow)
        report = await dying.maintain(46, age=False)

    assert (report.stop, pages) == ("budget", ["q", "other", "q"])
    assert (report.tally.removed, len(await dying.dead())) == (401, 500)
    report = await dying.maintain(age=False)
    assert (report.stop, await dying.dead(), len(dying.rows())) == ("done", [], 901)


@pytest.mark.parametrize("broken", ["q", "other"])
async def test_a_queue_that_the_store_refuses_keeps_no_other_from_the_archive(
    dying: World, broken: str
) -> None:
    await dying.die("a", "b")
    await dying.die("a", "b", queue=dying.other)
    records = keys.part(dying.store.prefix, broken, "records")
    await dying.store.rest.execute(["DEL", records], "test")
    await dying.store.rest.execute(["SET", records, "no hash"], "test")

    report = await dying.maintain()

    assert report.stop == "error"
    assert f"{broken}: ScriptError" in (report.error or "")
    assert report.tally.removed == 2
    sound = "other" if broken == "q" else "q"
    assert [row["job_id"] for row in dying.rows()] == [f"a.{sound}", f"b.{sound}"]


async def test_two_archivers_at_once_write_one_row_a_death(dying: World) -> None:
    await dying.die(*(f"{n:04}" for n in range(500)))
    dying.clock.advance(KEEP_SECONDS)
    runs = [dying.deployment_at(dying.url) for _ in range(3)]
    reports = await asyncio.gather(*(one.maintain(one.budget(60)) for one in runs))
    await dying.maintain()

    assert [one.error for one in reports] == [None] * 3
    assert sum(one.tally.archived for one in reports) == 500
    assert (len(dying.rows()), await dying.dead()) == (500, [])


async def test_a_run_without_old_letters_is_one_command_and_no_connection(dying: World) -> None:
    await dying.maintain()  # looks for old rows
    nobody = dying.deployment_at("postgresql://nobody@127.0.0.1:9/none")
    assert (await nobody.maintain(nobody.budget(60))).stop == "error"

    report = await dying.maintain()
    assert (report.stop, report.commands) == ("done", 1)
    await dying.die("young")
    await dying.maintain(age=False)  # the store learns the script
    report = await dying.maintain(age=False)
    assert (report.stop, report.commands) == ("done", 5)  # EXISTS, and a script over two queues


@pytest.mark.parametrize(("n", "commands"), [(1, 18), (200, 20), (400, 32)])
async def test_a_batch_of_200_letters_costs_twelve_commands(
    dying: World, n: int, commands: int
) -> None:
    await dying.maintain()
    await dying.die("warm")
    await dying.maintain()
    await dying.die(*(f"{i:04}" for i in range(n)))

    report = await dying.maintain()

    assert (report.tally.removed, report.commands) == (n, commands)


async def test_without_database_url_a_run_does_nothing(dying: World) -> None:
    await dying.die("a")
    dying.clock.advance(KEEP_SECONDS)
    without = dying.deployment_at(None)
    report = await without.maintain(without.budget(60))

    assert (report.stop, report.commands, await dying.dead()) == ("off", 0, ["a"])


@pytest.mark.parametrize("archived", [True, False])
async def test_retention_in_redis_holds_only_where_there_is_no_archive(
    store: Store, clock: FakeClock, empty_postgres: str, archived: bool
) -> None:
    """What `dead=Retention(...)` would delete goes into the archive first."""
    url = empty_postgres if archived else None
    dying = World(store, clock, url, dead=Retention(count=1, age=1e6))
    await dying.die("a", "b", "c")
    clock.advance(301)
    await dying.deployment.drain(dying.deployment.budget(60))

    assert await dying.dead() == (["a", "b", "c"] if archived else ["c"])


async def test_rows_go_thirty_days_after_they_came(dying: World) -> None:
    await dying.die(*(f"{n:04}" for n in range(2_300)))
    dying.clock.advance(40 * DAY)  # Postgres was away: a late row is not too old at once
    await dying.maintain()
    assert len(dying.rows()) == 2_300

    dying.clock.advance(29 * DAY)
    await dying.die("young")
    assert (await dying.maintain()).tally.deleted == 0
    dying.clock.advance(2 * DAY)
    report = await dying.maintain()
    assert (report.tally.deleted, [row["job_id"] for row in dying.rows()]) == (2_300, ["young.q"])


async def test_the_lag_is_the_age_of_the_oldest_letter_in_redis(dying: World) -> None:
    queues = dying.registry.queues()
    assert await archive_lag(dying.store, queues) == {}
    await dying.die("a")
    dying.clock.advance(100)
    await dying.die("b")
    await dying.die("c", queue=dying.other)
    dying.clock.advance(1)

    assert await archive_lag(dying.store, queues) == {"q": 101.0, "other": 1.0}


async def test_a_postgres_that_hangs_takes_no_more_than_the_functions_time(
    dying: World,
) -> None:
    """It takes the connection and never answers."""
    hanging = asyncio.Event()

    async def never(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dying.clock.advance(2)  # as the function's clock does meanwhile
        await hanging.wait()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await dying.die("a")
    dying.clock.advance(KEEP_SECONDS)
    function = dying.deployment_at(f"postgresql://u@127.0.0.1:{port}/x")
    report = await function.maintain(function.budget(1))
    hanging.set()
    server.close()

    assert (report.stop, await dying.dead()) == ("error", ["a"])
    assert "did not answer" in str(report.error)
    # Evaluated before: "the archive is behind" is one of the alerts.
    assert await dying.store.alerts.read()


async def test_a_command_that_evaluates_the_alerts_knows_the_archive(
    dying: World,
) -> None:
    """As a maintain run does: an archive that is behind has not recovered."""
    await dying.die("a")
    dying.clock.advance(2 * 3600)
    deployment = dying.deployment_at("postgresql://u@127.0.0.1:1/x")

    for _ in range(2):
        await deployment.evaluate_alerts()

    state = read_state(await dying.store.alerts.read())
    assert ("archive_behind", "") in state.firing
