"""One row of a price file: one day of one symbol. A row that contradicts itself is refused."""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

DecimalSign = Literal["point", "comma"]

_DAY = re.compile(
    r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})"
    r"(?:[T ]00:00(?::00(?:\.0{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?\Z"
)
_SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9.^=&/-]{0,15}")
_AMOUNT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_MOST = 2**63
_TIME = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}[T ][0-9]{2}:")


def _day(value: object) -> object:
    """A day as `YYYY-MM-DD`, also from `YYYYMMDD` and from its midnight."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    # pydantic would read a bare number as seconds since 1970: 20000301 as a day in August 1970
    match = _DAY.match(value) if isinstance(value, str) else None
    if match is not None:
        return f"{match[1]}-{match[3]}-{match[4]}"
    if isinstance(value, str) and is_time_of_day(value):
        raise PydanticCustomError("day", "a time of day: give one row a day")
    raise PydanticCustomError("day", "write the day as YYYY-MM-DD")


def is_time_of_day(text: str) -> bool:
    """True for a day with a time that is not its midnight."""
    return _TIME.match(text) is not None and _DAY.match(text) is None


def _symbol(text: str) -> str:
    # Only then in capitals: of other letters they are other ones, as SS of ß.
    capitals = text.upper() if text.isascii() else text
    if _SYMBOL.fullmatch(capitals) is None:
        raise PydanticCustomError(
            "symbol",
            "write a symbol in at most 16 letters, digits, points, hyphens, ^, =, & or /, "
            "as BRK.B or BTC-USD",
        )
    return capitals


def _plain(value: object, info: ValidationInfo) -> object:
    """A number with a decimal point; of a file whose decimal sign is the comma, in the context,
    also from one with a comma."""
    if isinstance(value, str) and info.context and info.context.get("decimal") == "comma":
        from .separators import with_point  # noqa: PLC0415 - cold start: few files need it

        value = with_point(value)
        if value is None:
            raise PydanticCustomError("comma", "write numbers with a decimal comma, as 1.234,5")
    # pydantic would read 1_0.1 as 10.1, and digits of other scripts
    if isinstance(value, str) and ("," in value or "_" in value or not value.isascii()):
        raise _not_plain(value)
    return value


def _not_plain(text: str) -> PydanticCustomError:
    from .separators import decimal_sign  # noqa: PLC0415 - as above

    if decimal_sign(text) == "comma":
        return PydanticCustomError(
            "comma",
            "write numbers with a point and without separators; "
            'if the whole file has decimal commas, give "decimal": "comma"',
        )
    return PydanticCustomError("plain", "write numbers with a point and without separators")


def _whole(value: object) -> object:
    """A volume in whole shares, also from 8.25E+07 and from fractions, which come of splits."""
    if not isinstance(value, str) or _AMOUNT.fullmatch(value) is None:
        return value
    amount = Decimal(value)
    return math.floor(amount) if amount < 0 else round(min(amount, Decimal(_MOST)))


def _require_order(lower: Decimal, upper: Decimal, reason: str) -> None:
    """`lower` is at most `upper`, or the next float above it. Raises PydanticCustomError with this
    reason. Floats are compared: as decimals they differ by what each lost when it was written."""
    if lower > upper and float(lower) > math.nextafter(float(upper), math.inf):
        raise PydanticCustomError("price_order", "{reason}", {"reason": reason})


Symbol = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    AfterValidator(_symbol),
]
Price = Annotated[
    Decimal,
    Field(gt=0, le=1_000_000_000, max_digits=34, decimal_places=24),
    BeforeValidator(_plain),
]
"""Up to 24 decimals: programs write a float with 17 digits or more."""
Volume = Annotated[int, Field(ge=0, lt=_MOST), BeforeValidator(_whole), BeforeValidator(_plain)]
"""Shares, to the nearest whole one; 0 for an index or a currency, below 2^63, the largest whole
number SQLite stores."""


class PriceRow(BaseModel):
    """Guarantees: `low` ≤ `open`, `close` ≤ `high`, every price above zero, a volume of zero or
    more. A price that is off by an error of floats is set to the price that it should not pass.

    `adj_close` is the close after later splits and dividends; not every file has it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    symbol: Symbol
    date: Annotated[dt.date, BeforeValidator(_day)]
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Volume
    adj_close: Price | None = None

    # Each rule belongs to the later of the two columns it compares, so that the report names it.
    @field_validator("high")
    @classmethod
    def _high(cls, high: Decimal, info: ValidationInfo) -> Decimal:
        opened: Decimal = info.data.get("open", high)
        _require_order(opened, high, "high is below open")
        return max(high, opened)

    @field_validator("low")
    @classmethod
    def _low(cls, low: Decimal, info: ValidationInfo) -> Decimal:
        high: Decimal = info.data.get("high", low)
        opened: Decimal = info.data.get("open", low)
        _require_order(low, high, "low is above high")
        _require_order(low, opened, "low is above open")
        return min(low, high, opened)

    @field_validator("close")
    @classmethod
    def _close(cls, close: Decimal, info: ValidationInfo) -> Decimal:
        high: Decimal = info.data.get("high", close)
        low: Decimal = info.data.get("low", close)
        _require_order(close, high, "close is above high")
        _require_order(low, close, "close is below low")
        return max(min(close, high), low)
