"""Files whose rows look right one by one and would be read wrong: with prices within days, or with
points between thousands. Midnight is also the first hour of a day, and 41.000 is also a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shared import Discard

from .layout import Layout
from .rows import DecimalSign, is_time_of_day
from .separators import decimal_sign, may_be_grouped

_NUMBERS = {
    "volume": "volume",
    **dict.fromkeys(("open", "high", "low", "close", "adj_close"), "price"),
}
"""What a column of numbers holds, in words."""


def is_doubtful(layout: Layout, first: list[str], *, quoted: bool) -> bool:
    """True if the file needs a look at all its rows before one of them is taken, by its layout, the
    fields of its first row and whether it has quotes. A plain daily file with commas needs
    none."""
    day = layout.values(first).get("date", "")
    has_signs = layout.delimiter != "," or quoted or layout.decimal == "comma"
    return has_signs or bool(layout.times(first)) or ":" in day


def refuse_misreading(
    rows: Iterable[tuple[int, list[str]]], layout: Layout, *, quoted: bool
) -> None:
    """Read the line number and the fields of all rows. Raises Discard where one has a time of day,
    or where a point may stand between thousands: a price would be read as a thousandth of it, or a
    thousand times as high."""
    numbers = _Numbers()
    for line, fields in rows:
        values = layout.values(fields)
        _refuse_time(line, [values.get("date", ""), *layout.times(fields)])
        numbers.add(line, values)
    # Between commas without quotes a number holds none, so its point is a decimal one.
    numbers.refuse_doubt(layout.decimal, can_group=quoted or layout.delimiter != ",")


@dataclass(slots=True)
class _Numbers:
    """What a file's numbers tell about its decimal sign. `grouped`: the last line with a number in
    which a point may stand between thousands, by what it is."""

    signs: set[DecimalSign] = field(default_factory=set)
    grouped: dict[str, int] = field(default_factory=dict)

    def add(self, line: int, values: Mapping[str, str]) -> None:
        for name, what in _NUMBERS.items():
            text = values.get(name, "")
            if may_be_grouped(text):
                self.grouped[what] = line
            if sign := decimal_sign(text):
                self.signs.add(sign)

    def refuse_doubt(self, given: DecimalSign | None, *, can_group: bool) -> None:
        """Raise Discard if there is such a number, unless all that is known has one meaning for it:
        the signs of the other numbers, the one that was `given`, and whether the writer may have
        grouped thousands at all."""
        told = self.signs | ({given} if given else set())
        is_point = told == {"point"} or not (told or can_group)
        is_group = told == {"comma"} == {given}
        if not self.grouped or is_point or is_group:
            return
        what = min(self.grouped, key=["volume", "price"].index)
        raise Discard(
            f"line {self.grouped[what]}: a {what} has a point before three digits, {_doubt(told)}"
        )


def _doubt(told: set[DecimalSign]) -> str:
    """Why it can't be read, and what to do."""
    cure = "write numbers without separators"
    if not told:
        return (
            "which may stand between thousands or before decimals, and no number of the file tells "
            f'which; {cure}, or give "decimal": "point" or "decimal": "comma"'
        )
    if told == {"comma"}:
        return (
            "which stands between thousands, as other numbers of the file tell; "
            f'{cure}, or give "decimal": "comma"'
        )
    return f"and numbers of the file, or `decimal`, don't agree on what it is; {cure}"


def _refuse_time(line: int, texts: list[str]) -> None:
    day, *times = texts
    if is_time_of_day(day) or any(re.search("[1-9]", time) for time in times):
        raise Discard(
            f"line {line} has a time of day: this file has prices within days; "
            "give one row a day, without times"
        )
