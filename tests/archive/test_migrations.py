"""The archive's tables: made once, whichever process is first, from any older version."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from shared.archive.archive import open_archive
from shared.archive.connection import connected
from shared.archive.criteria import Criteria
from shared.archive.migrate import migrate, migrations
from shared.cli.diagnosis.schemas import check_migrations
from shared.config.settings import Settings
from shared.declare.app import Registry
from shared.deployment import Deployment
from shared.errors import ArchiveError
from shared.testing import FakeClock
from tests.archive.world import World

NAMES = list(migrations())


async def connect(url: str) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(url, autocommit=True)


def applied(url: str) -> list[str]:
    with psycopg.connect(url) as db:
        rows = db.execute("SELECT name FROM job_failures_migrations ORDER BY name").fetchall()
    return [name for (name,) in rows]


async def test_racing_processes_apply_each_migration_once(empty_postgres: str) -> None:
    connections = [await connect(empty_postgres) for _ in range(8)]
    done = await asyncio.gather(*(migrate(db) for db in connections))
    for db in connections:
        await db.close()

    assert sorted(done) == sorted([NAMES, *([[]] * 7)])
    assert applied(empty_postgres) == NAMES


@pytest.mark.parametrize("version", range(1, len(NAMES)))
async def test_an_older_version_gets_what_it_lacks_and_keeps_its_rows(
    empty_postgres: str, version: int, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = dict(list(migrations().items())[:version])
    with monkeypatch.context() as patch:
        patch.setattr("shared.archive.migrate.migrations", lambda: old)
        async with await connect(empty_postgres) as db:
            assert await migrate(db) == NAMES[:version]
            await db.execute(
                "INSERT INTO job_failures (prefix, queue_name, job_id, fence, failed_at, attempts,"
                " crashes, redrives, job_data, record, archived_at)"
                " VALUES ('test', 'q', 'a.q', 1, %s, 1, 0, 0, '{}', 'x', %s)",
                (datetime.now(UTC), datetime.now(UTC)),
            )
    async with await connect(empty_postgres) as db:
        assert await migrate(db) == NAMES[version:]
        assert await migrate(db) == []
        rows = await (await db.execute("SELECT job_id FROM job_failures")).fetchall()
    assert rows == [("a.q",)]


async def test_a_newer_version_is_left_as_it_is(
    dying: World, clock: FakeClock, empty_postgres: str
) -> None:
    await dying.die("a")
    await dying.maintain()
    with psycopg.connect(empty_postgres) as db:
        db.execute("ALTER TABLE job_failures ADD COLUMN later TEXT")
        db.execute("INSERT INTO job_failures_migrations (name) VALUES ('0999_later')")
    await dying.die("b")
    report = await dying.maintain()

    assert report.tally.archived == 1


async def test_a_table_of_that_name_by_another_maker_is_an_error_that_says_so(
    dying: World, empty_postgres: str
) -> None:
    with psycopg.connect(empty_postgres) as db:
        db.execute("CREATE TABLE job_failures (id SERIAL, queue TEXT)")
    await dying.die("a")
    report = await dying.maintain()

    assert report.stop == "error"
    assert "that Tidegate did not make" in str(report.error)
    assert await dying.dead() == ["a"]
    with psycopg.connect(empty_postgres) as db:  # nothing of it is left half done
        assert db.execute("SELECT to_regclass('job_failures_migrations')").fetchone() == (None,)


async def test_tables_that_were_dropped_are_made_again(dying: World, empty_postgres: str) -> None:
    await dying.maintain()
    with psycopg.connect(empty_postgres) as db:
        db.execute("DROP TABLE job_failures, job_failures_migrations")
    await dying.die("a")

    assert (await dying.maintain()).stop == "error"
    assert (await dying.maintain()).tally.archived == 1


async def test_errors_of_postgres_have_one_type_and_no_password(clock: FakeClock) -> None:
    with pytest.raises(ArchiveError, match="refused") as error:
        async with connected("postgresql://me:secret-password@127.0.0.1:9/db"):
            raise AssertionError("no server listens there")
    assert "secret-password" not in str(error.value)


async def test_a_failing_statement_is_an_archive_error(
    empty_postgres: str, clock: FakeClock
) -> None:
    with pytest.raises(ArchiveError):
        async with connected(empty_postgres) as db:
            await db.execute("SELECT nonsense FROM nowhere")
    async with open_archive(empty_postgres, "test", clock) as archive:
        assert (await archive.page([], Criteria(), cursor=None, most=5)).rows == []


async def doctor_says(url: str | None) -> tuple[str, str]:
    """Verdict and detail of the check of migrations."""
    deployment = Deployment(Settings(archive_url=url), Registry([]))
    finding = await check_migrations(deployment)
    assert bool(finding.advice) == (finding.verdict != "OK")
    return finding.verdict, finding.detail


async def test_doctor_tells_an_archive_of_another_version_and_changes_nothing(
    empty_postgres: str,
) -> None:
    assert await doctor_says(None) == ("OK", "there is no archive to migrate")
    assert await doctor_says(empty_postgres) == ("WARN", f"the archive lacks {', '.join(NAMES)}")
    async with connected(empty_postgres) as db:
        assert await doctor_says(empty_postgres) == (
            "OK",
            "the archive's tables are those of this version",
        )
        await db.execute("INSERT INTO job_failures_migrations (name) VALUES ('0099_later')")

    verdict, detail = await doctor_says(empty_postgres)

    assert (verdict, "0099_later" in detail) == ("WARN", True)
    assert (await doctor_says("postgresql://u:secret@127.0.0.1:9/x"))[0] == "WARN"
