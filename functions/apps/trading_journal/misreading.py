"""Files whose rows look right one by one and would be read wrong: with prices within days, or with
points between thousands. Midnight is also the first hour of a day, and 41.000 is also a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from shared import Discard

from .layout import Layout
from .rows import is_time_of_day

_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?:\.[0-9]{3})+")
_PRICES = ("open", "high", "low", "close", "adj_close")


def is_doubtful(layout: Layout, first: list[str]) -> bool:
    """True if the file needs a look at all its rows before one of them is taken, by its layout and
    the fields of its first row. A plain daily file with commas needs none."""
    day = layout.values(first).get("date", "")
    return layout.delimiter != "," or bool(layout.times(first)) or ":" in day


def refuse_misreading(rows: Iterable[tuple[int, list[str]]], layout: Layout) -> None:
    """Read the line number and the fields of all rows. Raises Discard where one has a time of day,
    or where points stand between thousands, or may do so."""
    commas = grouped = 0  # the last line with a comma in a price, with a price like 2.612
    for line, fields in rows:
        values = layout.values(fields)
        _refuse_time(line, [values.get("date", ""), *layout.times(fields)])
        if layout.delimiter != ",":
            if _THOUSANDS.fullmatch(values.get("volume", "")):
                raise Discard(_ambiguous(line, "volume"))
            prices = [values.get(name, "") for name in _PRICES]
            commas = line if any("," in price for price in prices) else commas
            grouped = line if any(map(_THOUSANDS.fullmatch, prices)) else grouped
    if commas and grouped:
        raise Discard(_ambiguous(grouped, "price"))


def _refuse_time(line: int, texts: list[str]) -> None:
    day, *times = texts
    if is_time_of_day(day) or any(re.search("[1-9]", time) for time in times):
        raise Discard(
            f"line {line} has a time of day: this file has prices within days; "
            "give one row a day, without times"
        )


def _ambiguous(line: int, column: str) -> str:
    return (
        f"line {line}: a {column} has a point before three digits, which may be one between "
        "thousands; write numbers without separators"
    )
