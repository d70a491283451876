"""Alpaca's trading API: the fills of an account.

https://docs.alpaca.markets/reference/getaccountactivitiesbyactivitytype
"""

from __future__ import annotations

import os
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field, RootModel

from shared import ConfigurationError

from .http import client, read

API = "https://api.alpaca.markets"
PAGE = 100
"""Fills of one request: the most that the API gives."""


class Fill(BaseModel):
    """One execution of an order. `id` grows with time and is unique in its account."""

    id: str = Field(min_length=1, max_length=100)
    transaction_time: AwareDatetime
    symbol: str = Field(min_length=1, max_length=32)
    side: Literal["buy", "sell", "sell_short"]
    qty: Annotated[Decimal, Field(gt=0)]
    price: Annotated[Decimal, Field(ge=0)]


class _Fills(RootModel[list[Fill]]):
    pass


class Alpaca:
    """One account."""

    def __init__(self, key: str, secret: str, api: str = API) -> None:
        self._headers = {"apca-api-key-id": key, "apca-api-secret-key": secret}
        self._url = f"{api.rstrip('/')}/v2/account/activities/FILL"

    async def fills(self, after: str | None) -> list[Fill]:
        """The next fills, oldest first, after the one of this id; at most PAGE."""
        params: dict[str, str | int] = {"direction": "asc", "page_size": PAGE}
        if after is not None:
            params["page_token"] = after
        async with client(headers=self._headers) as http:
            response = await http.get(self._url, params=params)
        return read(response, _Fills, "Alpaca").root


def broker() -> Alpaca:
    """The account that the environment names. Raises ConfigurationError without its keys."""
    key, secret = os.environ.get("ALPACA_KEY_ID"), os.environ.get("ALPACA_SECRET_KEY")
    if not key or not secret:
        raise ConfigurationError("ALPACA_KEY_ID and ALPACA_SECRET_KEY are not set")
    return Alpaca(key, secret, os.environ.get("ALPACA_URL") or API)
