"""Migrations of the archive's tables: the SQL files of `migrations/`, each applied once, in order.

The files are never changed once they are released. A database may be newer than this code: what it
has more stays.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ArchiveError

if TYPE_CHECKING:
    from psycopg import AsyncConnection

FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x7469_6465_6172_6368
"""An advisory lock: one process migrates, others that start meanwhile wait for it."""
_TABLE = "job_failures_migrations"


def migrations() -> dict[str, str]:
    """Name → SQL, in order."""
    files = sorted(FOLDER.glob("*.sql"))
    return {file.stem: file.read_text(encoding="utf-8") for file in files}


async def migrate(db: AsyncConnection[Any]) -> list[str]:
    """Apply what is missing, all in one transaction; the names of what was applied. One query where
    nothing is. Raises ArchiveError for a table `job_failures` of another maker."""
    from psycopg.errors import DuplicateTable

    if not await _missing_migrations(db):
        return []
    try:
        async with db.transaction():
            await db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            await db.execute(
                f"CREATE TABLE IF NOT EXISTS {_TABLE} "
                "(name TEXT PRIMARY KEY, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())"
            )
            missing = await _missing_migrations(db)  # another process may have been first
            for name, sql in missing.items():
                await db.execute(sql.encode())
                await db.execute(f"INSERT INTO {_TABLE} (name) VALUES (%s)", (name,))
    except DuplicateTable:
        raise ArchiveError(
            "the database has a table job_failures that Tidegate did not make: rename that table, "
            "or give the archive a database or a schema of its own in DATABASE_URL"
        ) from None
    return list(missing)


async def difference(db: AsyncConnection[Any]) -> tuple[list[str], list[str]]:
    """The names of the migrations that the database lacks, and of those that it has and this code
    does not. Changes nothing."""
    applied = await _applied_migrations(db)
    return [name for name in migrations() if name not in applied], sorted(applied - {*migrations()})


async def _missing_migrations(db: AsyncConnection[Any]) -> dict[str, str]:
    applied = await _applied_migrations(db)
    return {name: sql for name, sql in migrations().items() if name not in applied}


async def _applied_migrations(db: AsyncConnection[Any]) -> set[str]:
    cursor = await db.execute("SELECT to_regclass(%s)", (_TABLE,))
    row = await cursor.fetchone()
    if row is None or row[0] is None:
        return set()
    rows = await (await db.execute(f"SELECT name FROM {_TABLE}")).fetchall()
    return {name for (name,) in rows}
