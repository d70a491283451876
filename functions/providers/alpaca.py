"""Alpaca's trading API: the fills of an account.

https://docs.alpaca.markets/reference/getaccountactivitiesbyactivitytype
"""

from __future__ import annotations

import datetime as dt
import os
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, Field, RootModel, ValidationError

from shared import ConfigurationError
from shared.jobs.redact import keep_secret

from .http import UnreadableAnswer, client, read

API = "https://api.alpaca.markets"
PAGE = 100
"""Fills of one request: the most that the API gives."""


class Fill(BaseModel):
    """One execution of an order. `id` is unique in its account. Its order is not that of time: it
    begins with New York's clock, which goes back in November, and ends at random."""

    id: str = Field(min_length=1, max_length=100)
    transaction_time: AwareDatetime
    symbol: str = Field(min_length=1, max_length=32)
    side: Literal["buy", "sell", "sell_short"]
    qty: Annotated[Decimal, Field(gt=0)]
    price: Annotated[Decimal, Field(ge=0)]


class Page(NamedTuple):
    """The fills of one answer, oldest first. `unreadable`: what is wrong with those that are left
    out; `token`: the position after this page; None after the last one."""

    fills: list[Fill]
    unreadable: list[str]
    token: str | None


class _Activities(RootModel[list[dict[str, Any]]]):
    pass


class Alpaca:
    """One account."""

    def __init__(self, key: str, secret: str, api: str = API) -> None:
        keep_secret([key, secret])
        self._headers = {"apca-api-key-id": key, "apca-api-secret-key": secret}
        self._url = f"{api.rstrip('/')}/v2/account/activities/FILL"

    async def fills(self, since: dt.datetime | None, token: str | None) -> Page:
        """The next page of the fills since an instant, after the page of this token."""
        params: dict[str, str | int] = {"direction": "asc", "page_size": PAGE}
        if since is not None:
            params["after"] = since.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
        if token is not None:
            params["page_token"] = token
        async with client(headers=self._headers) as http:
            response = await http.get(self._url, params=params)
        return _page(read(response, _Activities, "Alpaca").root)


def broker() -> Alpaca:
    """The account that the environment names. Raises ConfigurationError without its keys."""
    key, secret = os.environ.get("ALPACA_KEY_ID"), os.environ.get("ALPACA_SECRET_KEY")
    if not key or not secret:
        raise ConfigurationError("ALPACA_KEY_ID and ALPACA_SECRET_KEY are not set")
    return Alpaca(key, secret, os.environ.get("ALPACA_URL") or API)


def _page(activities: list[dict[str, Any]]) -> Page:
    """Raises UnreadableAnswer where none can be read: then it is the API that has changed."""
    fills, unreadable = list[Fill](), list[str]()
    for activity in activities:
        try:
            fills.append(Fill.model_validate(activity))
        except ValidationError as error:
            first = error.errors()[0]
            name = str(activity.get("id"))[:100]
            unreadable.append(f"{name}: {'.'.join(map(str, first['loc']))}: {first['msg']}")
    if unreadable and not fills:
        raise UnreadableAnswer(f"Alpaca: {unreadable[0]}")
    if len(activities) < PAGE:
        return Page(fills, unreadable, None)
    last = activities[-1].get("id")
    return Page(fills, unreadable, last if last and isinstance(last, str) else fills[-1].id)
