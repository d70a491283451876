"""One row of a price file: one day of one symbol. A row that contradicts itself is refused."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


def _iso(value: object) -> object:
    # pydantic would read a bare number as seconds since 1970: 20000301 as a day in August 1970
    if isinstance(value, str) and not _ISO.match(value):
        raise PydanticCustomError("iso_date", "write the day as YYYY-MM-DD")
    return value


def _require(condition: bool, reason: str) -> None:  # noqa: FBT001 - an assertion with a sentence
    if not condition:
        raise PydanticCustomError("price_order", "{reason}", {"reason": reason})


Symbol = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z0-9^][A-Za-z0-9.^=-]{0,15}$"
    ),
]
Price = Annotated[Decimal, Field(gt=0, le=1_000_000_000, max_digits=26, decimal_places=16)]
Volume = Annotated[int, Field(gt=0, lt=2**63)]
"""Shares; below 2^63, the largest whole number SQLite stores."""


class PriceRow(BaseModel):
    """Guarantees: `low` ≤ `open`, `close` ≤ `high`, every price and the volume above zero.

    `adj_close` is the close after later splits and dividends; not every file has it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    symbol: Symbol
    date: Annotated[dt.date, BeforeValidator(_iso)]
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
        _require(high >= info.data.get("open", high), "high is below open")
        return high

    @field_validator("low")
    @classmethod
    def _low(cls, low: Decimal, info: ValidationInfo) -> Decimal:
        _require(low <= info.data.get("high", low), "low is above high")
        _require(low <= info.data.get("open", low), "low is above open")
        return low

    @field_validator("close")
    @classmethod
    def _close(cls, close: Decimal, info: ValidationInfo) -> Decimal:
        _require(close <= info.data.get("high", close), "close is above high")
        _require(close >= info.data.get("low", close), "close is below low")
        return close
