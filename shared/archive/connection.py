"""Connections to the archive's Postgres. Nothing else in `shared` imports psycopg, and it is
imported when a connection is opened: drains and the API do not pay for it at their start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ..errors import ArchiveError
from ..extras import packages_of
from ..jobs.redact import redact
from .migrate import migrate

if TYPE_CHECKING:
    from psycopg import AsyncConnection

CONNECT_SECONDS = 10
"""Seconds until a server that does not answer is an error."""
_ready: set[str] = set()
"""The databases that this process has found migrated."""


@asynccontextmanager
async def connected(url: str, *, migrates: bool = True) -> AsyncIterator[AsyncConnection[Any]]:
    """A connection to the database, in autocommit; it is migrated before. Whatever Postgres answers
    in the block is raised as ArchiveError. Raises MissingExtra without psycopg."""
    with packages_of("postgres", "the archive"):
        import psycopg
    try:
        # No prepared statements: a pooler such as PgBouncer may give each call another server.
        db = await psycopg.AsyncConnection.connect(
            url,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            prepare_threshold=None,
            client_encoding="utf8",  # else psycopg gives names as bytes from a SQL_ASCII database
        )
        async with db:
            if not (db.info.parameter_status("DateStyle") or "").startswith("ISO"):
                await db.execute("SET datestyle TO ISO")  # psycopg reads instants in no other
            if migrates and url not in _ready:
                await migrate(db)
                _ready.add(url)
            yield db
    except psycopg.errors.UndefinedTable as error:
        _ready.discard(url)  # the table was dropped: the next call makes it again
        raise ArchiveError(_sentence(error)) from error
    except psycopg.Error as error:
        raise ArchiveError(_sentence(error)) from error


def _sentence(error: Exception) -> str:
    return redact(" ".join(str(error).split())) or type(error).__name__
