"""The lines of a price file, one at a time: each is a valid row or is rejected with a reason."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from pydantic import ValidationError

from shared import Discard

from .rows import PriceRow

LONGEST_LINE = 2**20
_ALIASES = {"ticker": "symbol", "adjclose": "adj_close", "adjusted_close": "adj_close"}
_REQUIRED = {name for name, field in PriceRow.model_fields.items() if field.is_required()}


@dataclass(frozen=True, slots=True)
class Line:
    """A valid row and the number of its last line in the file. The header is line 1."""

    line: int
    row: PriceRow


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is not a valid row. `column` is empty when the whole line is at fault."""

    line: int
    column: str
    reason: str


class _Records(Protocol):
    """A `csv.reader`, whose own type has no public name."""

    @property
    def line_num(self) -> int: ...

    def __next__(self) -> list[str]: ...


def read_prices(stream: BinaryIO) -> Iterator[Line | Rejected]:
    """Every line after the header, in order, without blank lines.

    The bytes are UTF-8, with or without a byte order mark. Raises Discard when the header lacks
    columns of a `PriceRow`, or when a line is too long for a price file.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        records = csv.reader(_bounded(text), strict=True)
        header = _header(records)
        yield from _rows(records, header)
    finally:
        text.detach()  # the caller closes the stream


def _bounded(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise Discard(f"a line is longer than {LONGEST_LINE} characters: this is no price file")
        yield line


def _header(records: _Records) -> list[str]:
    try:
        names = next(records, [])
    except csv.Error as error:
        raise Discard(f"the first line is no CSV header: {error}") from error
    columns = ["_".join(name.strip().lower().split()) for name in names]
    columns = [_ALIASES.get(name, name) for name in columns]
    missing = sorted(_REQUIRED - set(columns))
    if missing:
        first_line = ", ".join(names)[:200] or "nothing"
        raise Discard(f"columns missing: {', '.join(missing)}; the first line has: {first_line}")
    duplicates = sorted(
        {name for name in columns if columns.count(name) > 1} & set(PriceRow.model_fields)
    )
    if duplicates:
        raise Discard(f"duplicate columns: {', '.join(duplicates)}; keep one of each")
    return columns


def _rows(records: _Records, header: list[str]) -> Iterator[Line | Rejected]:
    first = 2
    while True:
        try:
            fields = next(records, None)
        except csv.Error as error:
            yield Rejected(records.line_num, "", f"no CSV: {error}")
        else:
            if fields is None:
                return
            if fields:
                yield _row(fields, header, first, records.line_num)
        first = records.line_num + 1


def _row(fields: list[str], header: list[str], first: int, last: int) -> Line | Rejected:
    if len(fields) != len(header):
        reason = f"{len(fields)} fields where the header has {len(header)}"
        if last > first:
            reason += f"; lines {first} to {last} read as one row: is a quote left open?"
        return Rejected(last, "", reason)
    values = {name: text for name, text in zip(header, fields, strict=True) if text.strip()}
    try:
        return Line(last, PriceRow.model_validate(values))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return Rejected(last, ".".join(map(str, fault["loc"])), fault["msg"])
