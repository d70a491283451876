"""A stand-in of Alpaca's account activities: fills at real closing prices."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .faults import Faults

_EVER = "1970-01-01T00:00:00Z"


@dataclass(slots=True)
class Alpaca:
    """One account with its fills, oldest first."""

    faults: Faults
    fills: Sequence[dict[str, Any]] = field(default_factory=list)

    def routes(self) -> list[Route]:
        return [Route("/v2/account/activities/FILL", self._page)]

    async def _page(self, request: Request) -> Response:
        if not request.headers.get("apca-api-key-id"):
            return JSONResponse({"message": "forbidden."}, 403)
        after = request.query_params.get("page_token", "")
        since = dt.datetime.fromisoformat(request.query_params.get("after", _EVER))
        most = int(request.query_params["page_size"])
        page = [
            fill
            for fill in self.fills
            if fill["id"] > after and dt.datetime.fromisoformat(fill["transaction_time"]) > since
        ]
        return await self.faults.answer(after, lambda: JSONResponse(page[:most]))


def fills_at(prices: Sequence[str]) -> list[dict[str, Any]]:
    """A fill for each line of a price file (`Ticker,Date,Open,…,Close`): each at the day's close,
    with a made up side and quantity."""
    fills = []
    for number, line in enumerate(prices):
        symbol, day, _open, _high, _low, close, *_ = line.split(",")
        fills.append(
            {
                "id": f"{day.replace('-', '')}:{number:06}",
                "activity_type": "FILL",
                "transaction_time": f"{day}T20:00:00Z",
                "symbol": symbol,
                "side": "sell" if number % 3 == 2 else "buy",
                "qty": str(1 + number % 7),
                "price": close,
            }
        )
    return sorted(fills, key=lambda fill: str(fill["id"]))
