"""The journal: one SQLite file with one record per account, symbol and day, and the trades.

Several threads and processes of one machine may write at the same time. A network disk is not
supported: SQLite's WAL needs shared memory. A record survives a crash of the process that wrote
it. A power cut may lose the last records; a second import of the file restores them and changes
nothing else.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .payloads import TradeRecord
from .price_math import daily_return, true_range

BUSY = 10.0
"""Seconds that a writer waits while another process writes."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    account TEXT NOT NULL, symbol TEXT NOT NULL, day TEXT NOT NULL,
    open TEXT NOT NULL, high TEXT NOT NULL, low TEXT NOT NULL, close TEXT NOT NULL,
    volume INTEGER NOT NULL, true_range TEXT NOT NULL, daily_return TEXT, job_id TEXT NOT NULL,
    PRIMARY KEY (account, symbol, day)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fills (
    account TEXT NOT NULL, id TEXT NOT NULL, at TEXT NOT NULL, symbol TEXT NOT NULL,
    side TEXT NOT NULL, quantity TEXT NOT NULL, price TEXT NOT NULL, vector TEXT,
    PRIMARY KEY (account, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (
    account TEXT NOT NULL, kind TEXT NOT NULL, period TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (account, kind, period)
) WITHOUT ROWID;
"""
# ON CONFLICT and not OR IGNORE: the latter would also hide a violated constraint.
_INSERT = """
INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account, symbol, day) DO UPDATE
SET true_range = excluded.true_range, daily_return = excluded.daily_return
WHERE daily_return IS NULL AND excluded.daily_return IS NOT NULL
AND (open, high, low, close) = (excluded.open, excluded.high, excluded.low, excluded.close)
"""


class Journal:
    """One connection, shared by the threads of a process, one statement at a time."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db = _connect(path)

    def record(self, record: TradeRecord, job_id: str) -> dict[str, object]:
        """Write the record unless the journal has one for that day: the first record wins. Only a
        return that was not known is added later, to a record of the same prices.

        One transaction, committed on return. Prices are stored as text, digit for digit.
        """
        row = record.row
        gain = daily_return(row, record.previous_close)
        span = true_range(row, record.previous_close)
        prices = (str(price) for price in (row.open, row.high, row.low, row.close))
        share = None if gain is None else str(gain)
        values = (record.account, row.symbol, row.date.isoformat(), *prices, row.volume)
        written = self.change(_INSERT, (*values, str(span), share, job_id)) == 1
        return {"recorded": written, "true_range": str(span), "daily_return": share}

    def change(self, statement: str, values: Sequence[object]) -> int:
        """Run one statement; how many rows it changed. Committed on return."""
        with self._lock:
            return self._db.execute(statement, values).rowcount

    def change_many(self, statement: str, rows: Iterable[Sequence[object]]) -> int:
        """Run one statement for each row in one transaction; how many rows it changed."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                changed = self._db.executemany(statement, rows).rowcount
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        return changed

    def select(self, query: str, values: Sequence[object]) -> list[Any]:
        """The rows of a query."""
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def close(self) -> None:
        self._db.close()


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
    try:
        _share(db)
        # No fsync per record: 3,000 of them would take a minute on a slow disk.
        db.execute("PRAGMA synchronous=NORMAL")
        db.executescript(_SCHEMA)
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


# To open and close the file for each record would cost twenty times the record: the last
# connection to close copies the WAL into the file and syncs. So a process keeps its journals open.
_open: dict[tuple[Path, int], Journal] = {}
_opening = threading.Lock()


def journal_in(folder: Path) -> Journal:
    """The journal in `folder`, created if missing. One per process: a fork opens its own."""
    path = folder.absolute() / "trading-journal.sqlite3"
    key = (path, os.getpid())
    with _opening:
        if key not in _open:
            folder.mkdir(parents=True, exist_ok=True)
            _open[key] = Journal(path)
        return _open[key]


def close_journals() -> None:
    """Close this process's journals. Tests need it; a process may also end without it."""
    with _opening:
        for key in [key for key in _open if key[1] == os.getpid()]:
            _open.pop(key).close()
