"""An application's own tables: in Postgres where `DATABASE_URL` is set, else in a file of SQLite on
a developer's machine.

Both take the same statements: standard SQL with `?` for values, TEXT and INTEGER columns, and
ON CONFLICT. Texts are compared by their bytes. Calls block: an async handler makes them in threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from shared import ConfigurationError


class Database(Protocol):
    """One connection, shared by the threads of a process, one call at a time. Each call is one
    transaction, committed on return."""

    def change(self, statement: str, values: Sequence[object]) -> int:
        """Run one statement; how many rows it changed."""

    def change_many(self, statement: str, rows: Iterable[Sequence[object]]) -> int:
        """Run one statement for each row, all or none; how many rows it changed."""

    def select(self, query: str, values: Sequence[object]) -> list[Any]:
        """The rows of a query."""

    def close(self) -> None:
        """Close the connection."""


# To open a database for each job would cost many times what the job does there.
_open: dict[tuple[str, int], Database] = {}
_opening = threading.Lock()


def database(file: Path, schema: str) -> Database:
    """The application's database, with the tables of `schema`: statements that may be repeated.
    `file` holds it where `DATABASE_URL` is not set. One per process: a fork opens its own.

    Raises ConfigurationError for a file on a function host: its disk is deleted.
    """
    url = os.environ.get("DATABASE_URL")
    if url:
        return _open_once(f"{url} {file.name}", lambda: _postgres(url, schema))
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ or "VERCEL" in os.environ:
        raise ConfigurationError(
            "DATABASE_URL is not set: the application's tables have no place, since a function's "
            "disk is deleted"
        )
    path = file.absolute()
    return _open_once(str(path), lambda: _sqlite(path, schema))


def close_databases() -> None:
    """Close this process's databases. Tests need it; a process may also end without it."""
    with _opening:
        for key in [key for key in _open if key[1] == os.getpid()]:
            _open.pop(key).close()


def _open_once(name: str, open_it: Callable[[], Database]) -> Database:
    key = (name, os.getpid())
    with _opening:
        if key not in _open:
            _open[key] = open_it()
        return _open[key]


def _postgres(url: str, schema: str) -> Database:
    from .postgres import Postgres  # noqa: PLC0415 - an extra, and heavy

    return Postgres(url, schema)


def _sqlite(path: Path, schema: str) -> Database:
    from .sqlite import SqliteFile  # noqa: PLC0415 - only one of the two is used

    return SqliteFile(path, schema)
