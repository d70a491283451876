"""The layout of a price file: its delimiter and its columns, read from its first line."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from shared import Discard

from .rows import PriceRow

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
MOST_COLUMNS = 1_000
COLUMNS = frozenset(PriceRow.model_fields)
_REQUIRED = frozenset(name for name, field in PriceRow.model_fields.items() if field.is_required())
_ALIASES = {
    **dict.fromkeys(("ticker", "instrument"), "symbol"),
    **dict.fromkeys(("timestamp", "day", "trade_date"), "date"),
    **dict.fromkeys(("adjclose", "adjusted_close", "adj._close", "adj_close*"), "adj_close"),
    **dict.fromkeys(("vol", "vol."), "volume"),
    "close/last": "close",
}
"""Names that vendors give to our columns, in lower case, spaces as underscores."""
_TIMES = frozenset({"time", "hour", "minute", "time_(utc)", "trade_time"})
"""Names of columns with the time of day that belongs to the day in another column."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A delimiter, our names of the columns from left to right, and the symbol of every row where
    the file has no such column."""

    delimiter: str
    columns: tuple[str, ...]
    symbol: str | None

    def split(self, text: str) -> list[str]:
        """The fields of one row. Raises csv.Error."""
        return _split(text, self.delimiter)

    def values(self, fields: list[str]) -> dict[str, str]:
        """The fields of our columns by name, without those that are empty."""
        named = zip(self.columns, fields, strict=True)
        values = {name: text.strip() for name, text in named if name in COLUMNS and text.strip()}
        return values if self.symbol is None else {**values, "symbol": self.symbol}

    def times(self, fields: list[str]) -> list[str]:
        """The fields of the columns with a time of day."""
        named = zip(self.columns, fields, strict=True)
        return [text for name, text in named if name in _TIMES]


def read_layout(lines: Iterator[str], symbol: str | None) -> Layout:
    """The layout that the first line describes. Excel's `sep=` line may stand before it.

    Raises Discard with what is missing. No text of the file is in it: the readers of the error may
    not read the file.
    """
    first = next(lines, None)
    if first is not None and first.lower().startswith("sep="):
        first = next(lines, None)
    if first is None:
        raise Discard("the file is empty")
    found = [(delimiter, _columns(first, delimiter)) for delimiter in DELIMITERS]
    delimiter, columns = max(found, key=lambda one: len(COLUMNS.intersection(one[1])))
    if not columns:
        raise Discard("the first line is no CSV header: see its quotes")
    present = COLUMNS.intersection(columns)
    if symbol is not None and "symbol" in present:
        raise Discard("the file has a column with symbols; leave out `symbol`")
    missing = _REQUIRED - present - ({"symbol"} if symbol is not None else set())
    if missing:
        raise Discard(_what_is_missing(missing, present, delimiter))
    twice = sorted(name for name, n in Counter(columns).items() if n > 1 and name in COLUMNS)
    if twice:
        raise Discard(f"duplicate columns: {', '.join(twice)}; keep one of each")
    return Layout(delimiter, columns, symbol)


def _columns(line: str, delimiter: str) -> tuple[str, ...]:
    """Our names of the columns; none where the quotes don't fit this delimiter."""
    if line.count(delimiter) >= MOST_COLUMNS:
        raise Discard(f"the first line has over {MOST_COLUMNS} columns: this is no price file")
    try:
        names = _split(line, delimiter)
    except csv.Error:
        return ()
    words = ("_".join(name.strip(" \t<>").lower().split()) for name in names)
    return tuple(_ALIASES.get(name, name) for name in words)


def _what_is_missing(missing: frozenset[str], present: frozenset[str], delimiter: str) -> str:
    if not present:
        return "the first line has none of the columns: " + ", ".join(sorted(_REQUIRED))
    text = f"columns missing: {', '.join(sorted(missing))}"
    if missing == {"symbol"}:
        return f"{text}; add it, or give the symbol of all rows as `symbol`"
    return (
        f"{text}; found, with a {DELIMITERS[delimiter]} between them: {', '.join(sorted(present))}"
    )


def _split(text: str, delimiter: str) -> list[str]:
    whole = [text.rstrip("\r\n")]  # one item: the reader would end a row at the end of each
    return next(csv.reader(whole, delimiter=delimiter, skipinitialspace=True, strict=True), [])
