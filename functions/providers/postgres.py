"""A database in Postgres, over psycopg."""

from __future__ import annotations

import re
import select
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from shared import ConfigurationError
from shared.jobs.redact import keep_secret

CONNECT = 10
"""Seconds until a server that does not answer is an error."""
_SCHEMA_LOCK = 0x7469_6465
"""An advisory lock: two processes that create the same table at once would collide."""


class Postgres:
    """A `Database` in Postgres. A connection that the server ended while nothing ran is opened
    again before the next call: hosted servers end those that are idle for minutes."""

    def __init__(self, url: str, schema: str) -> None:
        keep_secret([url, _password(url)])
        self._url = url
        self._lock = threading.Lock()
        self._db = self._connect()
        with self._db.transaction():
            self._db.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
            self._db.execute(_own_schema(schema))

    def change(self, statement: str, values: Sequence[object]) -> int:
        with self._lock:
            return self._connection().execute(_own(statement), values).rowcount

    def change_many(self, statement: str, rows: Iterable[Sequence[object]]) -> int:
        with self._lock:
            db = self._connection()
            with db.transaction(), db.cursor() as cursor:
                cursor.executemany(_own(statement), list(rows))
                return max(0, cursor.rowcount)

    def select(self, query: str, values: Sequence[object]) -> list[Any]:
        with self._lock:
            return self._connection().execute(_own(query), values).fetchall()

    def close(self) -> None:
        self._db.close()

    def _connection(self) -> psycopg.Connection[Any]:
        if self._db.closed or _is_ended(self._db):
            self._db.close()
            self._db = self._connect()
        return self._db

    def _connect(self) -> psycopg.Connection[Any]:
        # No prepared statements: a pooler such as PgBouncer may give each call another server.
        return psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=CONNECT,
            prepare_threshold=None,
            client_encoding="utf8",  # else a SQL_ASCII database gives texts as bytes
        )


def _is_ended(db: psycopg.Connection[Any]) -> bool:
    """True if there is something to read while nothing runs: the server has ended the session, or
    sends what nobody asked for. It costs no request."""
    readable = select.poll()
    readable.register(db.fileno(), select.POLLIN)
    return bool(readable.poll(0))


def _password(url: str) -> str | None:
    try:
        return str(conninfo_to_dict(url).get("password") or "")
    except psycopg.Error:  # its text quotes the URL
        raise ConfigurationError("DATABASE_URL names no Postgres that psycopg can read") from None


def _own(statement: str) -> bytes:
    return statement.replace("?", "%s").encode()


def _own_schema(schema: str) -> bytes:
    # Compare texts by their bytes, as SQLite does; INTEGER has 8 bytes there.
    schema = re.sub(r"\bTEXT\b", 'TEXT COLLATE "C"', schema)
    return re.sub(r"\bINTEGER\b", "BIGINT", schema).encode()
