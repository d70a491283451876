"""Price arithmetic over two days: the restated previous close, true range and daily return.

Prices in a file are as traded, so a 2:1 split looks like a loss of half. If the file has adjusted
closes, the previous close is restated in today's terms before any computation.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext

from .rows import PriceRow

_STEP = Decimal("0.000001")
_WIDE = Context(prec=60)  # the default 28 digits could overflow on the widest prices of a row


class OutOfOrder(Exception):
    """The row's day is not later than the previous row's day."""


@dataclass(slots=True)
class _Last:
    date: dt.date
    close: Decimal
    adj_close: Decimal | None


class PreviousCloses:
    """The last close of every symbol of one file."""

    def __init__(self) -> None:
        self._last: dict[str, _Last] = {}

    def advance(self, row: PriceRow) -> Decimal | None:
        """Store the row's close; return the one before it, restated in the row's terms, or None on
        a symbol's first day.

        Raises OutOfOrder when the day is not later than the symbol's last day: a file that is
        sorted newest first, or repeats a day, would get wrong returns.
        """
        last = self._last.get(row.symbol)
        if last is not None and row.date <= last.date:
            raise OutOfOrder(
                f"{row.date} does not come after {last.date}; sort each symbol oldest first"
            )
        self._last[row.symbol] = _Last(row.date, row.close, row.adj_close)
        return None if last is None else _restated(last, row)


def _restated(last: _Last, row: PriceRow) -> Decimal | None:
    if last.adj_close is None or row.adj_close is None:
        return last.close
    with localcontext(_WIDE):
        close = (last.adj_close * row.close / row.adj_close).quantize(_STEP)
    return close if close > 0 else None


def true_range(row: PriceRow, previous_close: Decimal | None) -> Decimal:
    """Wilder's true range: the day's span, extended to the previous close."""
    if previous_close is None:
        return row.high - row.low
    return max(row.high, previous_close) - min(row.low, previous_close)


def daily_return(row: PriceRow, previous_close: Decimal | None) -> Decimal | None:
    """The day's gain as a share of the previous close, to six places; None on a first day."""
    if previous_close is None:
        return None
    with localcontext(_WIDE):
        return (row.close / previous_close - 1).quantize(_STEP)
