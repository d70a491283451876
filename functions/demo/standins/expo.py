"""A stand-in of Expo's push notifications."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .faults import Faults

MOST = 100
GONE, LEFT = "gone", "left"
"""Parts of the tokens of phones that are not registered any more: Expo knows it of the first one at
once, and of the second one when its receipt is written."""
_GONE = {
    "status": "error",
    "message": "the phone is not registered",
    "details": {"error": "DeviceNotRegistered"},
}


@dataclass(slots=True)
class Expo:
    """The service, and what it sent: (phone, text) -> how often."""

    faults: Faults
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """Messages to phones that are gone."""
    receipts: dict[str, Any] = field(default_factory=dict)
    """By the ids of tickets."""

    def routes(self) -> list[Route]:
        base = "/--/api/v2/push"
        return [
            Route(f"{base}/send", self._push, methods=["POST"]),
            Route(f"{base}/getReceipts", self._read, methods=["POST"]),
        ]

    async def _push(self, request: Request) -> Response:
        messages: list[dict[str, str]] = await request.json()
        if len(messages) > MOST:
            return JSONResponse({"errors": [{"message": "too many messages"}]}, 400)
        return await self.faults.answer(messages[0]["to"], lambda: self._send(messages))

    def _send(self, messages: list[dict[str, str]]) -> Response:
        tickets: list[Any] = []
        for message in messages:
            if GONE in message["to"]:
                self.refused[message["to"]] += 1
                tickets.append(_GONE)
            else:
                self.sent[message["to"], message["body"]] += 1
                name = f"ticket-{self.sent.total()}"
                self.receipts[name] = _GONE if LEFT in message["to"] else {"status": "ok"}
                tickets.append({"status": "ok", "id": name})
        return JSONResponse({"data": tickets})

    async def _read(self, request: Request) -> Response:
        ids: list[str] = (await request.json())["ids"]
        found = {name: self.receipts[name] for name in ids if name in self.receipts}
        return await self.faults.answer(ids[0], lambda: JSONResponse({"data": found}))
