"""The archive as a value: every statement on the table `job_failures` is here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..clock import Clock, utc
from ..declare.queue import Queue
from ..errors import JobNotFound
from ..store.deaths import Death
from .connection import connected
from .criteria import Criteria, read_cursor, where, write_cursor
from .rows import ArchivedLetter, read_letter, row_values

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Error

DAYS = 30.0
"""How long a row is kept, unless TIDEGATE_ARCHIVE_DAYS is set."""
SEARCH_SECONDS = 10
_WRITTEN = (
    *("prefix", "queue_name", "job_id", "fence", "failed_at", "job_type", "job_key", "reason"),
    *("error_type", "error_message", "attempts", "crashes", "redrives", "job_data", "record"),
    "archived_at",
)
_INSERT = (
    f"INSERT INTO job_failures ({', '.join(_WRITTEN)}) VALUES {{}} "
    "ON CONFLICT ON CONSTRAINT job_failures_one_row_a_death DO NOTHING"
)
_ROW = f"({', '.join(['%s'] * len(_WRITTEN))})"
_READ = "id, job_id, failed_at, record, archived_at, redriven_at, queue_name"


@dataclass(slots=True)
class ArchivePage:
    """Rows, the newest death first, and the cursor of the next page (None: there is none)."""

    rows: list[ArchivedLetter] = field(default_factory=list)
    next: str | None = None


class Archive:
    """The rows of one deployment, over one connection. Raises ArchiveError (Postgres failed)."""

    def __init__(self, db: AsyncConnection[Any], prefix: str, clock: Clock, days: float) -> None:
        self._db, self._prefix, self._clock, self.days = db, prefix, clock, days

    async def keep(self, queue: Queue, deaths: Sequence[Death]) -> tuple[list[Death], int]:
        """Write a row for each death, once, and commit. Returns those that now have one, and how
        many rows are new; a death that Postgres refuses is missing among them."""
        from psycopg import Error

        try:
            return list(deaths), await self._insert(queue, deaths, as_text=False)
        except Error as error:
            if not _is_about_a_value(error):
                raise
        kept, new = list[Death](), 0
        for death in deaths:
            count = await self._insert_alone(queue, death)
            if count is not None:
                kept.append(death)
                new += count
        return kept, new

    async def page(
        self, queues: Sequence[Queue], criteria: Criteria, *, cursor: str | None, most: int
    ) -> ArchivePage:
        """Up to `most` rows of these queues that fit. Raises InvalidOption."""
        by_name = {queue.name: queue for queue in queues}
        sql, values = where(self._prefix, list(by_name), criteria)
        if cursor is not None:
            sql, values = f"{sql} AND (failed_at, id) < (%s, %s)", [*values, *read_cursor(cursor)]
        query = f"SELECT {_READ} FROM job_failures WHERE {sql} ORDER BY failed_at DESC, id DESC"
        read = await self._select(f"{query} LIMIT %s", [*values, most + 1])
        rows = [read_letter(by_name[queue_name], columns) for *columns, queue_name in read[:most]]
        more = len(read) > most
        last = read[most - 1] if more else None
        return ArchivePage(rows, write_cursor((last[2], last[0])) if last else None)

    async def find(self, queues: Sequence[Queue], rows: Sequence[int]) -> list[ArchivedLetter]:
        """The rows with these ids, in their order, each once. Raises JobNotFound."""
        by_name, numbers = {queue.name: queue for queue in queues}, list(dict.fromkeys(rows))
        query = f"SELECT {_READ} FROM job_failures WHERE prefix = %s AND queue_name = ANY(%s)"
        read = await self._select(
            f"{query} AND id = ANY(%s)", [self._prefix, list(by_name), numbers]
        )
        letters = {c[0]: read_letter(by_name[queue_name], c) for *c, queue_name in read}
        missing = [row for row in numbers if row not in letters]
        if missing:
            raise JobNotFound(
                f"no row {missing[0]} in the archive; rows go after {self.days:g} days"
            )
        return [letters[row] for row in numbers]

    async def last_row(self, job_id: str) -> int | None:
        """The number of the row of this job's last death; None where there is none."""
        query = "SELECT id FROM job_failures WHERE prefix = %s AND job_id = %s"
        found = await self._select(
            f"{query} ORDER BY failed_at DESC, id DESC LIMIT 1", [self._prefix, job_id]
        )
        return int(found[0][0]) if found else None

    async def mark_redriven(self, rows: Sequence[int]) -> None:
        """Remember that the jobs of these rows were made again."""
        await self._db.execute(
            "UPDATE job_failures SET redriven_at = %s WHERE id = ANY(%s) AND redriven_at IS NULL",
            (self._now(), list(rows)),
        )

    async def erase(
        self, key: str, queues: Sequence[str] | None = None, *, dry_run: bool = False
    ) -> int:
        """Delete all rows whose jobs had this option `key`, of the queues of these names or (None)
        of all; how many, or how many would go."""
        condition = "prefix = %s AND job_key = %s"
        values: list[object] = [self._prefix, key]
        if queues is not None:
            condition, values = f"{condition} AND queue_name = ANY(%s)", [*values, list(queues)]
        if dry_run:
            query = f"SELECT count(*) FROM job_failures WHERE {condition}"
            row = await (await self._db.execute(query.encode(), values)).fetchone()
            return int(row[0]) if row else 0
        statement = f"DELETE FROM job_failures WHERE {condition}"
        return (await self._db.execute(statement.encode(), values)).rowcount

    async def delete_old(self, most: int) -> int:
        """Delete up to `most` of the rows that have been here for longer than they are kept; how
        many went."""
        before = self._now() - timedelta(days=self.days)
        cursor = await self._db.execute(
            "DELETE FROM job_failures WHERE id IN (SELECT id FROM job_failures "
            "WHERE prefix = %s AND archived_at < %s ORDER BY archived_at LIMIT %s)",
            (self._prefix, before, most),
        )
        return cursor.rowcount

    async def _insert(self, queue: Queue, deaths: Sequence[Death], *, as_text: bool) -> int:
        now = self._now()
        rows = [row_values(self._prefix, queue, one, now, as_text=as_text) for one in deaths]
        statement = _INSERT.format(", ".join([_ROW] * len(rows)))  # one, so it commits by itself
        cursor = await self._db.execute(
            statement.encode(), [value for row in rows for value in row]
        )
        return cursor.rowcount

    async def _insert_alone(self, queue: Queue, death: Death) -> int | None:
        """How many rows are new; None where Postgres refuses this one in any form."""
        from psycopg import Error

        for as_text in (False, True):
            try:
                return await self._insert(queue, [death], as_text=as_text)
            except Error as error:
                if not _is_about_a_value(error):
                    raise
        return None

    async def _select(self, query: str, values: Sequence[object]) -> list[Any]:
        async with self._db.transaction():
            await self._db.execute(f"SET LOCAL statement_timeout = '{SEARCH_SECONDS}s'")
            return await (await self._db.execute(query.encode(), values)).fetchall()

    def _now(self) -> datetime:
        return utc(self._clock.epoch_ms())


@asynccontextmanager
async def open_archive(
    url: str, prefix: str, clock: Clock, days: float = DAYS
) -> AsyncIterator[Archive]:
    """The archive, with its tables, over a connection of its own. Raises ArchiveError and
    MissingExtra."""
    async with connected(url) as db:
        yield Archive(db, prefix, clock, days)


def _is_about_a_value(error: Error) -> bool:
    """True where Postgres refuses what a row says (data, constraints, limits of a value), not the
    connection or the statement."""
    return (error.sqlstate or "")[:2] in ("22", "23", "54")
