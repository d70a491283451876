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
GONE = "gone"
"""A part of the token of a phone that is not registered any more."""
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

    def routes(self) -> list[Route]:
        return [Route("/--/api/v2/push/send", self._push, methods=["POST"])]

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
                tickets.append({"status": "ok", "id": f"ticket-{self.sent.total()}"})
        return JSONResponse({"data": tickets})
