"""The journal: one record per account, symbol and day, in the application's database.

A record that was lost in a power cut comes back with a second import of its file, which changes
nothing else.
"""

from __future__ import annotations

from pathlib import Path

from functions.providers.database import Database, database

from .payloads import TradeRecord
from .price_math import daily_return, true_range

_SCHEMA = """
CREATE TABLE IF NOT EXISTS journal_records (
    account TEXT NOT NULL, symbol TEXT NOT NULL, day TEXT NOT NULL,
    open TEXT NOT NULL, high TEXT NOT NULL, low TEXT NOT NULL, close TEXT NOT NULL,
    volume INTEGER NOT NULL, true_range TEXT NOT NULL, daily_return TEXT, job_id TEXT NOT NULL,
    PRIMARY KEY (account, symbol, day)
);
CREATE TABLE IF NOT EXISTS journal_fills (
    account TEXT NOT NULL, id TEXT NOT NULL, at TEXT NOT NULL, symbol TEXT NOT NULL,
    side TEXT NOT NULL, quantity TEXT NOT NULL, price TEXT NOT NULL, vector TEXT,
    PRIMARY KEY (account, id)
);
CREATE TABLE IF NOT EXISTS journal_notes (
    account TEXT NOT NULL, kind TEXT NOT NULL, period TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (account, kind, period)
);
"""
# ON CONFLICT and not OR IGNORE: the latter would also hide a violated constraint.
_INSERT = """
INSERT INTO journal_records AS mine VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account, symbol, day) DO UPDATE
SET true_range = excluded.true_range, daily_return = excluded.daily_return
WHERE mine.daily_return IS NULL AND excluded.daily_return IS NOT NULL
AND (mine.open, mine.high, mine.low, mine.close)
  = (excluded.open, excluded.high, excluded.low, excluded.close)
"""


class Journal:
    """The records of all accounts."""

    def __init__(self, tables: Database) -> None:
        self._tables = tables

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
        written = self._tables.change(_INSERT, (*values, str(span), share, job_id)) == 1
        return {"recorded": written, "true_range": str(span), "daily_return": share}


def tables_in(folder: Path) -> Database:
    """The journal's tables; in this folder where no database is configured."""
    return database(folder / "trading-journal.sqlite3", _SCHEMA)


def journal_in(folder: Path) -> Journal:
    """The journal of these tables."""
    return Journal(tables_in(folder))
