"""A stand-in of Telegram's Bot API: the messages of one bot."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .faults import RETRY_AFTER, Faults

BOT_TOKEN = "7:token-of-the-demonstration"  # noqa: S105 - of no real bot
TEAM = (2001, 2002, 2003, 2004, 2005, 2006, 2007)
"""The users whose commands the bot runs."""


def refusal(status: int, text: str) -> dict[str, Any]:
    """What Telegram says when it takes no message: for a 429, also when to come back."""
    body = {"ok": False, "error_code": status, "description": text}
    return body | ({"parameters": {"retry_after": RETRY_AFTER}} if status == 429 else {})


@dataclass(slots=True)
class Telegram:
    """The chats of one bot."""

    faults: Faults
    sent: Counter[tuple[int, str]] = field(default_factory=Counter)
    """(chat, text) -> how often it was sent."""
    first_sent: dict[tuple[int, str], float] = field(default_factory=dict)
    """(chat, text) -> when it was first sent, as Unix time."""

    def routes(self) -> list[Route]:
        return [Route("/bot{token}/sendMessage", self._send, methods=["POST"])]

    async def _send(self, request: Request) -> Response:
        if request.path_params["token"] != BOT_TOKEN:
            return JSONResponse(refusal(401, "Unauthorized"), 401)
        body = await request.json()
        chat, text = int(body["chat_id"]), str(body["text"])
        return await self.faults.answer(f"{chat} {text}", lambda: self._deliver(chat, text))

    def _deliver(self, chat: int, text: str) -> Response:
        self.sent[chat, text] += 1
        self.first_sent.setdefault((chat, text), time.time())
        result = {
            "message_id": self.sent.total(),
            "date": int(time.time()),
            "chat": {"id": chat, "type": "private"},
            "text": text,
        }
        return JSONResponse({"ok": True, "result": result})
