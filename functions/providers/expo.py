"""Push notifications to phones through Expo: https://docs.expo.dev/push-notifications/sending-notifications/"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel

from .http import UnreadableAnswer, client, read

API = "https://exp.host"
MOST_MESSAGES = 100
"""Messages of one request: the most that Expo takes."""


class _Details(BaseModel):
    error: str = ""


class Ticket(BaseModel):
    """What Expo says about one message."""

    status: Literal["ok", "error"]
    message: str = ""
    details: _Details = _Details()

    @property
    def is_unregistered(self) -> bool:
        """True if the phone's token is not valid any more: nothing may be sent to it again."""
        return self.details.error == "DeviceNotRegistered"


class _Tickets(BaseModel):
    data: list[Ticket]


class Expo:
    """The push service. A token of access is needed where the project demands one."""

    def __init__(self, access_token: str | None, api: str = API) -> None:
        self._headers = {"authorization": f"Bearer {access_token}"} if access_token else {}
        self._url = f"{api.rstrip('/')}/--/api/v2/push/send"

    async def push(self, tokens: Sequence[str], title: str, body: str) -> list[Ticket]:
        """Send one text to at most MOST_MESSAGES phones; a ticket each, in order."""
        messages = [{"to": token, "title": title, "body": body} for token in tokens]
        async with client(headers=self._headers) as http:
            response = await http.post(self._url, json=messages)
        tickets = read(response, _Tickets, "Expo").data
        if len(tickets) != len(tokens):
            raise UnreadableAnswer(f"Expo: {len(tokens)} messages have {len(tickets)} tickets")
        return tickets


def expo() -> Expo:
    """The push service, as the environment configures it."""
    return Expo(os.environ.get("EXPO_ACCESS_TOKEN"), os.environ.get("EXPO_URL") or API)
