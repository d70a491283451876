"""What each symbol's closed quantity earned, as far as its fills tell."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from .trades import Trade

_OPTION = re.compile(r"([A-Z]+)([0-9]?)[0-9]{6}[CP][0-9]{8}")
"""An option's symbol; a digit after its root tells that what it delivers was changed."""
SHARES_OF_AN_OPTION = 100
SPLIT = Decimal("1.45")
"""The ratio of two prices from which on it may be a split's, 3:2 being the smallest usual one."""


@dataclass(slots=True)
class _Position:
    """What is held of a symbol, below zero if it was sold short. `last`: the trade before;
    `is_known`: no fill contradicts it."""

    quantity: Decimal = Decimal(0)
    average: Decimal = Decimal(0)
    last: Trade | None = None
    is_known: bool = True


def results_by_symbol(trades: Iterable[Trade], since: str = "") -> dict[str, Decimal | None]:
    """What each symbol's closes since an instant (ISO 8601) earned, a close being set against the
    average price of what was open. None where the fills don't tell: something was closed whose
    opening is missing, the price moved as in a split, or an option has terms of its own.

    Trades come in order of time, from the first one on; what is open in the end counts nothing.
    """
    positions: dict[str, _Position] = {}
    results: dict[str, Decimal | None] = {}
    for trade in trades:
        position = positions.setdefault(trade.symbol, _Position())
        gain = _trade(position, trade)
        if trade.at >= since:
            before = results.get(trade.symbol, Decimal(0))
            results[trade.symbol] = None if gain is None or before is None else before + gain
    return results


def _trade(position: _Position, trade: Trade) -> Decimal | None:
    """Change the position; what the trade earned, or None where that is not known."""
    held = position.quantity
    if held and _may_be_split(position.last, trade):
        position.is_known = False
    position.last = trade
    if trade.side == "sell" and trade.quantity > held:  # a short sale has a side of its own
        position.quantity = min(held, Decimal(0))
        return None
    change = trade.quantity if trade.side == "buy" else -trade.quantity
    closed = min(abs(held), abs(change)) if held * change < 0 else Decimal(0)
    multiplier = _multiplier(trade.symbol)
    gain = closed * (trade.price - position.average) * (1 if held > 0 else -1)
    is_known = closed == 0 or (position.is_known and multiplier is not None)
    _move(position, change, closed, trade.price)
    return gain * (multiplier or 1) if is_known else None


def _move(position: _Position, change: Decimal, closed: Decimal, price: Decimal) -> None:
    held = position.quantity
    position.quantity = held + change
    if held * position.quantity <= 0:  # closed, or open in the other direction
        position.is_known = True
    if closed < abs(change):  # the rest opens, or adds to what is open
        rest = abs(held) if closed == 0 else Decimal(0)
        opened = abs(change) - closed
        position.average = (rest * position.average + opened * price) / (rest + opened)


def _multiplier(symbol: str) -> int | None:
    option = _OPTION.fullmatch(symbol)
    if option is None:
        return 1
    return None if option[2] else SHARES_OF_AN_OPTION


def _may_be_split(last: Trade | None, trade: Trade) -> bool:
    """True if a stock's price moved overnight as a split moves it: the fills don't tell splits."""
    if last is None or "/" in trade.symbol or _OPTION.fullmatch(trade.symbol):
        return False
    low, high = sorted((last.price, trade.price))
    return high >= SPLIT * low and _session(last) != _session(trade)


def _session(trade: Trade) -> dt.date:
    """The day on the exchange: its hours, 04:00 to 20:00 in New York, end after midnight in UTC."""
    return (dt.datetime.fromisoformat(trade.at) - dt.timedelta(hours=8)).date()
