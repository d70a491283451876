"""The trades of one account in the journal: fills of a broker, their vectors, notes about them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from functions.providers.alpaca import Fill
from functions.providers.database import Database

from .journal import tables_in

_ADD = """
INSERT INTO journal_fills (account, id, at, symbol, side, quantity, price)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""
_BETWEEN = """
SELECT id, at, symbol, side, quantity, price FROM journal_fills
WHERE account = ? AND at >= ? AND at < ? ORDER BY at, id
"""
_HISTORY = """
SELECT id, at, symbol, side, quantity, price FROM journal_fills
WHERE account = ? AND at < ? AND (at, side, id) > (?, ?, ?) AND symbol IN (
    SELECT symbol FROM journal_fills WHERE account = ? AND at >= ? AND at < ?
) ORDER BY at, side, id LIMIT ?
"""
_WITHOUT_VECTOR = """
SELECT id, at, symbol, side, quantity, price FROM journal_fills
WHERE account = ? AND vector IS NULL ORDER BY id LIMIT ?
"""
_SET_NOTE = """
INSERT INTO journal_notes VALUES (?, ?, ?, ?)
ON CONFLICT (account, kind, period) DO UPDATE SET text = excluded.text
"""
HISTORY_PAGE = 5_000
_VERBS = {"buy": "bought", "sell": "sold", "sell_short": "sold short"}


class Trade(NamedTuple):
    """One fill as the journal has it. `at`: ISO 8601 in UTC."""

    id: str
    at: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal

    def __str__(self) -> str:
        return f"{self.at} {_VERBS[self.side]} {self.quantity} {self.symbol} at {self.price}"


class Trades:
    """The trades of one account."""

    def __init__(self, tables: Database, account: str) -> None:
        self._tables, self._account = tables, account

    def add(self, fills: Iterable[Fill]) -> int:
        """Store the fills that are missing, all or none; how many were."""
        return self._tables.change_many(_ADD, [self._row(fill) for fill in fills])

    def last_instant(self) -> dt.datetime | None:
        """When the last fill was."""
        query = "SELECT max(at) FROM journal_fills WHERE account = ?"
        last: str | None = self._tables.select(query, (self._account,))[0][0]
        return None if last is None else dt.datetime.fromisoformat(last)

    def between(self, first: dt.date, last: dt.date) -> list[Trade]:
        """The trades of the days from one to another (UTC), in order of time."""
        end = last + dt.timedelta(days=1)
        return self._select(_BETWEEN, first.isoformat(), end.isoformat())

    def history(self, first: dt.date, last: dt.date) -> Iterator[Trade]:
        """All trades up to a day, also those before the first one, of the symbols that were traded
        between the two; in order of time, and a purchase before a sale of the same instant."""
        begin, end = first.isoformat(), (last + dt.timedelta(days=1)).isoformat()
        after = ("", "", "")
        period = (self._account, begin, end)
        while page := self._select(_HISTORY, end, *after, *period, HISTORY_PAGE):
            yield from page
            after = (page[-1].at, page[-1].side, page[-1].id)

    def without_vector(self, most: int) -> list[Trade]:
        """Trades that have no vector yet."""
        return self._select(_WITHOUT_VECTOR, most)

    def set_vectors(self, vectors: Mapping[str, Sequence[float]]) -> None:
        """Store vectors by the ids of their trades."""
        update = "UPDATE journal_fills SET vector = ? WHERE account = ? AND id = ?"
        rows = [(json.dumps(list(v)), self._account, name) for name, v in vectors.items()]
        self._tables.change_many(update, rows)

    def note(self, kind: str, period: str) -> str | None:
        """The note of this kind about a period."""
        query = "SELECT text FROM journal_notes WHERE account = ? AND kind = ? AND period = ?"
        rows = self._tables.select(query, (self._account, kind, period))
        return rows[0][0] if rows else None

    def set_note(self, kind: str, period: str, text: str) -> None:
        """Store a note, in place of the one before."""
        self._tables.change(_SET_NOTE, (self._account, kind, period, text))

    def _select(self, query: str, *values: object) -> list[Trade]:
        rows = self._tables.select(query, (self._account, *values))
        return [Trade(*row[:4], *map(Decimal, row[4:])) for row in rows]

    def _row(self, fill: Fill) -> tuple[str, ...]:
        at = fill.transaction_time.astimezone(dt.UTC).isoformat()
        numbers = (str(fill.qty), str(fill.price))
        return (self._account, fill.id, at, fill.symbol, fill.side, *numbers)


def trades_in(folder: Path, account: str) -> Trades:
    """The account's trades in the journal of this folder."""
    return Trades(tables_in(folder), account)
