"""An instant as payloads may hold it."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

_FIRST, _LAST = (dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (1970, 9999))


def _in_utc(value: dt.datetime) -> dt.datetime:
    # Comparisons of aware times go by instants, also where UTC has no date for one of them.
    if not _FIRST <= value < _LAST:
        raise ValueError("give an instant from 1970 on and before 9999")
    return value.astimezone(dt.UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""An instant in UTC, of a year that has a date in each time zone."""
