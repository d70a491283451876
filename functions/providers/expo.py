"""Push notifications to phones through Expo: https://docs.expo.dev/push-notifications/sending-notifications/"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

import httpx
from pydantic import BaseModel, ValidationError

from .http import UnreadableAnswer, client, message_of, read

API = "https://exp.host"
MOST_MESSAGES = 100
"""Messages of one request: the most that Expo takes."""


Meaning = Literal["sent", "gone", "later", "wrong", "refused"]
"""Of a ticket: sent; the phone's token is not valid any more; send it again later; the project's
credentials are wrong; it will never be taken."""
_MEANINGS: dict[str, Meaning] = {
    "DeviceNotRegistered": "gone",
    "MessageRateExceeded": "later",
    "ExpoError": "later",
    "ProviderError": "later",
    "InvalidCredentials": "wrong",
    "MismatchSenderId": "wrong",
    "DeveloperError": "wrong",
}
_MIXED = "PUSH_TOO_MANY_EXPERIENCE_IDS"


class BatchRefused(Exception):
    """Expo takes none of a request's messages, for the sake of some. `parts`: the same phones in
    requests of their own; none where it was one phone."""

    def __init__(self, reason: str, parts: list[list[str]]) -> None:
        super().__init__(reason)
        self.parts = parts


class _Details(BaseModel):
    error: str = ""


class Ticket(BaseModel):
    """What Expo says about one message."""

    status: Literal["ok", "error"]
    message: str = ""
    details: _Details = _Details()

    @property
    def meaning(self) -> Meaning:
        """What it means for the phone."""
        return "sent" if self.status == "ok" else _MEANINGS.get(self.details.error, "refused")

    @property
    def reason(self) -> str:
        """Why the message was not sent."""
        return ": ".join(text for text in (self.details.error, self.message) if text)


class _Error(BaseModel):
    code: str = ""
    details: object = None


class _Errors(BaseModel):
    errors: list[_Error]


class _Tickets(BaseModel):
    data: list[Ticket]


class Expo:
    """The push service. A token of access is needed where the project demands one."""

    def __init__(self, access_token: str | None, api: str = API) -> None:
        self._headers = {"authorization": f"Bearer {access_token}"} if access_token else {}
        self._url = f"{api.rstrip('/')}/--/api/v2/push/send"

    async def push(self, tokens: Sequence[str], title: str, body: str) -> list[Ticket]:
        """Send one text to at most MOST_MESSAGES phones; a ticket each, in order. Raises
        BatchRefused where Expo takes none because of some."""
        messages = [{"to": token, "title": title, "body": body} for token in tokens]
        async with client(headers=self._headers) as http:
            response = await http.post(self._url, json=messages)
        if response.status_code == httpx.codes.BAD_REQUEST:
            raise BatchRefused(
                f"Expo answers 400: {message_of(response)}", _parts(response, tokens)
            )
        tickets = read(response, _Tickets, "Expo").data
        if len(tickets) != len(tokens):
            raise UnreadableAnswer(f"Expo: {len(tokens)} messages have {len(tickets)} tickets")
        return tickets


def expo() -> Expo:
    """The push service, as the environment configures it."""
    return Expo(os.environ.get("EXPO_ACCESS_TOKEN"), os.environ.get("EXPO_URL") or API)


def _parts(response: httpx.Response, tokens: Sequence[str]) -> list[list[str]]:
    """The phones of a refused request in at least two parts: those of each project where Expo names
    projects, else halves."""
    projects = _projects(response)
    by_project: dict[str, list[str]] = {}
    for token in tokens:
        by_project.setdefault(projects.get(token, ""), []).append(token)
    if len(by_project) > 1:
        return list(by_project.values())
    half = len(tokens) // 2
    return [list(tokens[:half]), list(tokens[half:])] if half else []


def _projects(response: httpx.Response) -> dict[str, str]:
    """Token -> project, as Expo tells it of a request with phones of several ones."""
    try:
        errors = _Errors.model_validate_json(response.content).errors
    except ValidationError:
        return {}
    named = [error.details for error in errors if error.code == _MIXED]
    return {
        token: project
        for details in named
        if isinstance(details, dict)
        for project, tokens in details.items()
        if isinstance(tokens, list)
        for token in tokens
        if isinstance(token, str)
    }
