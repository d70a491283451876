"""The payloads of the journal's job types."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from functions.providers.address import Address

from .rows import DecimalSign, PriceRow, Symbol

Account = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Resume(BaseModel):
    """The position at which an import ran out of time. Only an import may write it: a job with one
    whose id is not that of an import's child is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    run: str
    """The unique id of the first job: all later ones derive the same row ids from it."""
    done: int = Field(ge=1)
    """Lines that are enqueued or rejected, in the order in which an import takes them."""
    checksum: str


class CsvImport(BaseModel):
    """One price file to read.

    `source` is the name of a packaged file, `file:` and a path below the data folder, or an https
    address. `symbol`: that of every row, for a file without such a column. `decimal`: the sign
    before the decimals of its numbers, for a file with decimal commas and for one that does not
    tell whether 41.000 is 41 or 41,000.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    source: str = Field(min_length=1, max_length=2048)
    account: Account = "main"
    symbol: Symbol | None = None
    decimal: DecimalSign | None = None
    notify: Address | None = None
    resume: Resume | None = None


Restated = Annotated[Decimal, Field(gt=0, le=Decimal(10) ** 42, max_digits=67, decimal_places=24)]
"""A price in the terms of another day: at most the highest price twice, by the lowest one."""


class TradeRecord(BaseModel):
    """One row for the journal. `previous_close` is restated in the row's terms, without splits."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    account: Account
    row: PriceRow
    previous_close: Restated | None = None


class EmailMessage(BaseModel):
    """One email to one address: the name of a template and its values."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    to: Address
    template: str = Field(min_length=1, max_length=64)
    values: dict[str, str | int] = Field(default_factory=dict, max_length=50)


class SyncPosition(BaseModel):
    """A position in a list of a broker's fills: after the page of this token. `since`: where the
    list begins."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    since: AwareDatetime | None
    token: str = Field(min_length=1, max_length=200)


class BrokerSync(BaseModel):
    """The fills of one broker account, as far as the journal has not got them. `resume`: where the
    sync stopped whose rest this is."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    account: Account = "main"
    resume: SyncPosition | None = None


class CoachRequest(BaseModel):
    """A coach's feedback on one day of trades."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    account: Account = "main"
    day: dt.date


class AnalysisRequest(BaseModel):
    """An analysis of the trades from one day to another, both included."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    account: Account = "main"
    first: dt.date
    last: dt.date

    @model_validator(mode="after")
    def _require_order(self) -> AnalysisRequest:
        if self.last < self.first:
            raise ValueError("last is before first")
        return self


class TradeEmbeddings(BaseModel):
    """Vectors of the trades that have none yet."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    account: Account = "main"
