"""Price arithmetic over two days: the restated previous close, true range and daily return.

Prices in a file are as traded, so a 2:1 split looks like a loss of half. If the file has adjusted
closes, the previous close is restated in today's terms before any computation.
"""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

from .rows import PriceRow

_STEP = Decimal("0.000001")
_WIDE = Context(prec=60)  # the default 28 digits could overflow on the widest prices of a row


def restated(last: PriceRow, row: PriceRow) -> Decimal | None:
    """The close of `last` in the terms of a later `row`; None if it is too small to state."""
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
