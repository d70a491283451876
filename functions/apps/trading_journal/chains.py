"""The days of each symbol of one file as a chain: which close came before a row.

Files come oldest or newest day first. Either way one row of each symbol is held until its neighbour
is known, so a file of any length is read in one pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from shared import Discard

from .price_math import restated
from .table import Line, RejectedLine

MOST_SYMBOLS = 20_000


class RowAndPrevious(NamedTuple):
    """A row and the close of the day before it, in its own terms; None where that is not known: on
    a symbol's first day, beside a rejected row, and where an adjusted close is missing."""

    line: Line
    previous: Decimal | None


@dataclass(slots=True)
class _Chain:
    """The last row of a symbol. `descending` is None until its second day. `held`: the row waits
    for the one before it. `gaps`: the gaps of the file when it was read."""

    last: Line
    gaps: int
    descending: bool | None = None
    held: bool = True


class Chains:
    """The chains of all symbols of a file."""

    def __init__(self) -> None:
        self._chains: dict[str, _Chain] = {}
        self._gaps: dict[str | None, int] = {}

    def add(self, line: Line | RejectedLine) -> Iterator[RowAndPrevious | RejectedLine]:
        """The rows whose neighbour is known now, and rejected lines."""
        if isinstance(line, RejectedLine):
            if not line.no_trade:
                self._break(line.symbol)
            yield line
            return
        chain = self._chains.get(line.row.symbol)
        if chain is None:
            self._begin(line)
        else:
            yield from self._follow(chain, line)

    def end(self) -> Iterator[RowAndPrevious]:
        """The rows that were held until the end of the file: each is its symbol's first day."""
        for chain in self._chains.values():
            if chain.held:
                yield RowAndPrevious(chain.last, None)

    def _begin(self, line: Line) -> None:
        if len(self._chains) == MOST_SYMBOLS:
            raise Discard(f"the file has over {MOST_SYMBOLS} symbols; split it")
        self._chains[line.row.symbol] = _Chain(line, self._gaps_of(line))

    def _follow(self, chain: _Chain, line: Line) -> Iterator[RowAndPrevious | RejectedLine]:
        day, last = line.row.date, chain.last.row.date
        if day == last:
            yield RejectedLine(line.line, "date", f"{day} comes twice; the first row counts")
            return
        descending = day < last
        if chain.descending not in (None, descending):
            self._break(line.row.symbol)
            yield RejectedLine(line.line, "date", f"{day} is out of order; sort each symbol by day")
            return
        chain.descending = descending
        known = chain.gaps == self._gaps_of(line)
        newer, older = (chain.last, line) if descending else (line, chain.last)
        comparable = not (newer.unadjusted or older.unadjusted)
        previous = restated(older.row, newer.row) if known and comparable else None
        if descending:
            yield RowAndPrevious(newer, previous)
        else:
            if chain.held:
                yield RowAndPrevious(older, None)
            yield RowAndPrevious(newer, previous)
        chain.last, chain.held, chain.gaps = line, descending, self._gaps_of(line)

    def _break(self, symbol: str | None) -> None:
        """A day of this symbol is missing here; of any symbol, where it can't be read."""
        if symbol is None or symbol in self._chains:
            self._gaps[symbol] = self._gaps.get(symbol, 0) + 1

    def _gaps_of(self, line: Line) -> int:
        return self._gaps.get(None, 0) + self._gaps.get(line.row.symbol, 0)
