"""The layout of a price file: its delimiter and its columns, read from its first line."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from shared import Discard

from .rows import DecimalSign, PriceRow

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
MOST_COLUMNS = 1_000
COLUMNS = frozenset(PriceRow.model_fields)
_REQUIRED = frozenset(name for name, field in PriceRow.model_fields.items() if field.is_required())
_NAMES = {
    **{name.replace("_", ""): name for name in PriceRow.model_fields},
    **dict.fromkeys(("ticker", "instrument"), "symbol"),
    **dict.fromkeys(("timestamp", "day", "tradedate", "tradingdate"), "date"),
    **dict.fromkeys(("adjustedclose", "closeadj", "closeadjusted", "adjusted"), "adj_close"),
    **dict.fromkeys(("adjclosing", "adjustedclosing"), "adj_close"),
    **dict.fromkeys(("vol", "sharevolume", "volumeshares"), "volume"),
    **dict.fromkeys(("closelast", "closing"), "close"),
    "opening": "open",
}
"""Our columns by the names that vendors give them, in the form that `_plain` makes."""
_PRICES = frozenset({"open", "high", "low", "close", "adj_close"})
_TIMES = frozenset({"time", "hour", "minute", "timeutc", "tradetime"})
"""Names of columns with the time of day that belongs to the day in another column."""
_NUMBER = re.compile(r"\s*[0-9]{1,2}[.)]")
MOST_NAMED = 20
_SPLIT_NUMBER = re.compile(r"(?<![^,])[1-9][0-9]{0,2},[0-9]{3}(?![0-9])")
"""Two fields that may be one number, as 9,616."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A delimiter, the names of the columns from left to right (ours, or what `_plain` makes of the
    file's), the symbol of every row where the file has no such column, and the decimal sign where
    it was given."""

    delimiter: str
    columns: tuple[str, ...]
    symbol: str | None
    decimal: DecimalSign | None = None

    def split(self, text: str) -> list[str]:
        """The fields of one row. Raises csv.Error."""
        return _split(text, self.delimiter)

    def fit(self, fields: list[str]) -> list[str] | None:
        """The fields of a row, one for each column; None where there are more or fewer. Rows may
        end in a delimiter where the header does not, and the header where rows don't."""
        extra = len(fields) - len(self.columns)
        if extra > 0 and not any(map(str.strip, fields[-extra:])) and not self._is_shifted(fields):
            return fields[:-extra]
        if extra < 0 and not any(self.columns[extra:]):
            return fields + [""] * -extra
        return fields if extra == 0 else None

    def _is_shifted(self, fields: list[str]) -> bool:
        """True if a comma within a number may be what makes the row longer, and an empty value its
        last field. Where the last column needs a value, such a row is refused without it."""
        if self.delimiter != "," or self.columns[-1] in _REQUIRED:
            return False
        return _SPLIT_NUMBER.search(",".join(fields)) is not None

    def values(self, fields: list[str]) -> dict[str, str]:
        """The fields of our columns by name, without those that are empty."""
        named = zip(self.columns, fields, strict=True)
        values = {name: text.strip() for name, text in named if name in COLUMNS and text.strip()}
        return values if self.symbol is None else {**values, "symbol": self.symbol}

    def times(self, fields: list[str]) -> list[str]:
        """The fields of the columns with a time of day."""
        named = zip(self.columns, fields, strict=True)
        return [text for name, text in named if name in _TIMES]

    @property
    def unread_adjustments(self) -> list[str]:
        """The first columns that may have adjusted prices and are none of ours. Without a column
        of adjusted closes a split looks like a loss."""
        unread = (name for name in self.columns if name not in COLUMNS and "adj" in name)
        return [name[:40] for name in islice(unread, MOST_NAMED)]


def read_layout(
    lines: Iterator[str], symbol: str | None, decimal: DecimalSign | None = None
) -> Layout:
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
    return Layout(delimiter, columns, symbol, decimal)


def _columns(line: str, delimiter: str) -> tuple[str, ...]:
    """Our names of the columns; none where the quotes don't fit this delimiter."""
    if line.count(delimiter) >= MOST_COLUMNS:
        raise Discard(f"the first line has over {MOST_COLUMNS} columns: this is no price file")
    try:
        names = _split(line, delimiter)
    except csv.Error:
        return ()
    return tuple(map(_column, names))


def _column(name: str) -> str:
    plain = _plain(name)
    price = _NAMES.get(plain.removesuffix("price"))
    return _NAMES.get(plain) or (price if price and price in _PRICES else plain)


def _plain(name: str) -> str:
    """One form of what vendors spell in many: `Adj Close**`, `adjClose`, `5. adjusted close`."""
    return re.sub(r"[^a-z0-9]", "", _NUMBER.sub("", name, count=1).lower())


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
