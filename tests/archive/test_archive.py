"""Dead letters move from Redis into Postgres: each is one row, and leaves Redis after that."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.archive.move import KEEP_SECONDS
from tests.archive.world import World


async def test_a_dead_letter_becomes_a_row_and_leaves_redis(dying: World) -> None:
    died = dying.clock.epoch_ms()
    await dying.die("a", key="user-1")
    await dying.die("b", queue=dying.other)
    report = await dying.maintain()

    assert (report.stop, report.moved.archived, report.moved.removed) == ("done", 2, 2)
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
