"""A database in a file of SQLite.

Several threads and processes of one machine may write at the same time. A network disk is not
supported: SQLite's WAL needs shared memory. A row survives a crash of the process that wrote it; a
power cut may lose the last ones.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

BUSY = 10.0
"""Seconds that a writer waits while another process writes."""


class SqliteFile:
    """A `Database` in one file, which is created if missing."""

    def __init__(self, path: Path, schema: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = _connect(path, schema)

    def change(self, statement: str, values: Sequence[object]) -> int:
        with self._lock:
            return self._db.execute(statement, values).rowcount

    def change_many(self, statement: str, rows: Iterable[Sequence[object]]) -> int:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                changed = self._db.executemany(statement, rows).rowcount
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        return max(0, changed)  # -1 where there were no rows

    def select(self, query: str, values: Sequence[object]) -> list[Any]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def close(self) -> None:
        self._db.close()


def _connect(path: Path, schema: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
    try:
        _share(db)
        # No fsync per row: 3,000 of them would take a minute on a slow disk.
        db.execute("PRAGMA synchronous=NORMAL")
        db.executescript(schema)
    except BaseException:
        db.close()
        raise
    return db


def _share(db: sqlite3.Connection) -> None:
    # SQLite does not apply its own timeout here: when two processes create the file at the same
    # instant, one gets "database is locked" at once.
    deadline = time.monotonic() + BUSY
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
