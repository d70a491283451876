"""The lines of a price file, one at a time: each is a valid row or is rejected with a reason.

The work for a byte is bounded: lines, columns, rows over several lines and blank lines have caps.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import BinaryIO, NamedTuple

from pydantic import ValidationError

from shared import Discard

from .layout import Layout, read_layout
from .misreading import is_doubtful, refuse_misreading
from .rows import DecimalSign, PriceRow
from .separators import with_point

LONGEST_LINE = 64 * 1024
MOST_BLANK = 1_000
"""Blank lines in a row."""
MOST_LINES = 10
"""Lines of one row whose quotes hold line ends. A quote that is open for longer was left open."""

_NOTHING = {"", "-", "null", "nan", "n/a", "none"}
"""What programs write where there is no number."""


@dataclass(frozen=True, slots=True)
class Line:
    """A valid row and the number of its last line in the file, counted from 1. `unadjusted`: the
    file has adjusted closes, and that of this row can't be read. `rounded`: the volume of the row
    had a fraction."""

    line: int
    row: PriceRow
    unadjusted: bool = False
    rounded: bool = False


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line that is not a valid row. `column` is empty when the whole line is at fault; `symbol`
    is that of the row, where it can be read. `no_trade`: the row has no prices at all, as some
    vendors write a holiday; no day is missing there."""

    line: int
    column: str
    reason: str
    symbol: str | None = None
    no_trade: bool = False


class _Text(NamedTuple):
    """A line with its end; "" in place of one that is too long."""

    number: int
    text: str


def read_prices(
    stream: BinaryIO, symbol: str | None = None, decimal: DecimalSign | None = None
) -> Iterator[Line | RejectedLine]:
    """Every line after the header, in order, without blank lines. `symbol` is that of a file which
    has no such column, `decimal` the decimal sign where the file itself does not tell it.

    The bytes are UTF-8, with or without byte order marks; the stream can seek. Raises Discard when
    the header lacks columns of a `PriceRow`, or when the file can't be one of daily prices.
    """
    start = _after_marks(stream)
    quoted = _has_quotes(stream)
    with _lines_from(stream, start) as lines:
        layout = _layout(lines, symbol, decimal)
        _refuse_misreading(lines, layout, quoted=quoted)
    with _lines_from(stream, start) as lines:
        _layout(lines, symbol)
        for number, fields in _records(lines, layout):
            yield fields if isinstance(fields, RejectedLine) else _row(number, fields, layout)


def read_header(stream: BinaryIO, symbol: str | None = None) -> Layout:
    """The layout that the header describes; the stream's position stays. Raises Discard as
    `read_prices` does."""
    begin = stream.tell()
    try:
        with _lines_from(stream, _after_marks(stream)) as lines:
            return _layout(lines, symbol)
    finally:
        stream.seek(begin)


def _after_marks(stream: BinaryIO) -> int:
    """The position after the byte order marks: programs that add one to each file add a second."""
    start = stream.tell()
    while stream.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8:
        start += len(codecs.BOM_UTF8)
    return start


def _has_quotes(stream: BinaryIO) -> bool:
    return any(b'"' in chunk for chunk in iter(lambda: stream.read(LONGEST_LINE), b""))


@contextmanager
def _lines_from(stream: BinaryIO, start: int) -> Iterator[_Lines]:
    stream.seek(start)
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    try:
        yield _Lines(text)
    finally:
        text.detach()  # the caller closes the stream


def _layout(lines: _Lines, symbol: str | None, decimal: DecimalSign | None = None) -> Layout:
    return read_layout((line.text for line in iter(lines.next, None)), symbol, decimal)


def _refuse_misreading(lines: _Lines, layout: Layout, *, quoted: bool) -> None:
    records = _records(lines, layout)
    rows = ((number, fields) for number, fields in records if not isinstance(fields, RejectedLine))
    first = next(rows, None)
    if first is not None and is_doubtful(layout, first[1], quoted=quoted):
        refuse_misreading(chain([first], rows), layout, quoted=quoted)


class _Lines:
    """The lines that are not blank, each with its number. A line can be put back."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text, self._number = text, 0
        self._again: deque[_Text] = deque()

    def next(self) -> _Text | None:
        if self._again:
            return self._again.popleft()
        for _ in range(MOST_BLANK):
            line = self._text.readline(LONGEST_LINE)
            self._number += 1
            if not line:
                return None
            if self._skip_rest(line):
                return _Text(self._number, "")
            if line.strip():
                return _Text(self._number, line)
        raise Discard(f"{MOST_BLANK} blank lines follow each other: this is no price file")

    def _skip_rest(self, line: str) -> bool:
        """True if the line is too long; what is left of it is skipped."""
        piece = line
        while len(piece) == LONGEST_LINE and not piece.endswith(("\n", "\r")):
            piece = self._text.readline(LONGEST_LINE)
        return piece is not line

    def put_back(self, lines: list[_Text]) -> None:
        self._again.extendleft(reversed(lines))


def _records(lines: _Lines, layout: Layout) -> Iterator[tuple[int, list[str] | RejectedLine]]:
    """The number of the last line of each row, and its fields."""
    while (first := lines.next()) is not None:
        if not first.text:
            reason = f"longer than {LONGEST_LINE} characters"
            yield first.number, RejectedLine(first.number, "", reason)
            continue
        whole = _with_its_quotes(first, lines)
        fields = _fields(whole, layout)
        if not isinstance(fields, str):
            yield whole[-1].number, fields
            continue
        lines.put_back(whole[1:])  # an open quote costs its own line only
        reason = "a quote is left open" if whole[1:] else fields
        yield first.number, RejectedLine(first.number, "", reason)


def _with_its_quotes(first: _Text, lines: _Lines) -> list[_Text]:
    """The line, and those that follow while a quote is open."""
    whole, quotes = [first], first.text.count('"')
    following = iter(lines.next, None)
    while quotes % 2 and len(whole) < MOST_LINES:
        line = next(following, None)
        if line is None:
            break
        whole.append(line)
        quotes += line.text.count('"')
    return whole


def _fields(whole: list[_Text], layout: Layout) -> list[str] | str:
    """The fields of one row, or the reason why it is none."""
    try:
        fields = layout.split("".join(line.text for line in whole))
    except csv.Error as error:
        return "a quote is left open" if "unexpected end" in str(error) else f"no CSV: {error}"
    reason = f"{len(fields)} fields where the header has {len(layout.columns)}"
    return layout.fit(fields) or reason


def _row(number: int, fields: list[str], layout: Layout) -> Line | RejectedLine:
    values = layout.values(fields)
    if all(values.get(name, "").lower() in _NOTHING for name in ("open", "high", "low", "close")):
        return RejectedLine(number, "", "no prices: no trade that day", no_trade=True)
    read = _validate(number, values, layout)
    if (
        isinstance(read, RejectedLine) and read.column == "adj_close"
    ):  # an extra: all others are right
        read = _validate(number, {**values, "adj_close": None}, layout)
    if isinstance(read, RejectedLine):
        return read
    unadjusted = "adj_close" in layout.columns and read.adj_close is None
    return Line(number, read, unadjusted, _has_fraction(values["volume"], layout))


def _has_fraction(volume: str, layout: Layout) -> bool:
    if volume.isdecimal():
        return False
    amount = Decimal((with_point(volume) or "") if layout.decimal == "comma" else volume)
    return amount != amount.to_integral_value()


def _validate(
    number: int, values: Mapping[str, str | None], layout: Layout
) -> PriceRow | RejectedLine:
    try:
        return PriceRow.model_validate(values, context={"decimal": layout.decimal})
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        column = ".".join(map(str, fault["loc"]))
        symbol = None if column == "symbol" else str(values["symbol"]).upper()
        return RejectedLine(number, column, fault["msg"], symbol)
