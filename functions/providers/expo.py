"""Push notifications to phones through Expo: https://docs.expo.dev/push-notifications/sending-notifications/"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Annotated, Literal

import httpx
from pydantic import AfterValidator, BaseModel, BeforeValidator, ValidationError

from shared.jobs.redact import keep_secret

from .http import UnreadableAnswer, client, message_of, read

API = "https://exp.host"
MOST_MESSAGES = 100
"""Messages of one request: the most that Expo takes."""
MOST_RECEIPTS = 1000
"""Receipts of one request: the most that Expo gives."""
Meaning = Literal["sent", "gone", "later", "wrong", "refused"]
"""Of a message: sent; the phone's token is not valid any more; send it again later; the project's
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


# One field or entry that is none costs no other phone what Expo says about it.
_Text = Annotated[str, BeforeValidator(lambda value: value if isinstance(value, str) else "")]
_Fields = BeforeValidator(lambda value: value if isinstance(value, dict) else {})
_ID = re.compile(r"[!-~]{1,128}")


class _Details(BaseModel):
    error: _Text = ""


class Receipt(BaseModel):
    """What became of one message: it went to Apple or Google, or why it did not."""

    status: _Text = ""
    message: _Text = ""
    details: Annotated[_Details, _Fields] = _Details()

    @property
    def meaning(self) -> Meaning:
        """What it means for the phone."""
        return "sent" if self.status == "ok" else _MEANINGS.get(self.details.error, "refused")

    @property
    def reason(self) -> str:
        """Why the message was not sent."""
        said = ": ".join(text for text in (self.details.error, self.message) if text)
        return said or "Expo says neither that it is sent nor why not"


class Ticket(Receipt):
    """What Expo says when it gets one message. `id`: the one of its receipt, "" without one."""

    id: Annotated[_Text, AfterValidator(lambda text: text if _ID.fullmatch(text) else "")] = ""


class _Error(BaseModel):
    code: str = ""
    details: object = None


class _Errors(BaseModel):
    errors: list[_Error]


class _Tickets(BaseModel):
    data: list[Annotated[Ticket, _Fields]]


class _Receipts(BaseModel):
    data: dict[str, Annotated[Receipt, _Fields]]


class Expo:
    """The push service. A token of access is needed where the project demands one."""

    def __init__(self, access_token: str | None, api: str = API) -> None:
        keep_secret([access_token])
        self._headers = {"authorization": f"Bearer {access_token}"} if access_token else {}
        self._url = f"{api.rstrip('/')}/--/api/v2/push"

    async def push(self, tokens: Sequence[str], title: str, body: str) -> list[Ticket]:
        """Send one text to at most MOST_MESSAGES phones; a ticket each, in order. Raises
        BatchRefused where Expo takes none because of some."""
        messages = [{"to": token, "title": title, "body": body} for token in tokens]
        async with client(headers=self._headers) as http:
            response = await http.post(f"{self._url}/send", json=messages)
        if response.status_code == httpx.codes.BAD_REQUEST:
            raise BatchRefused(
                f"Expo answers 400: {message_of(response)}", _parts(response, tokens)
            )
        tickets = read(response, _Tickets, "Expo").data
        if len(tickets) != len(tokens):
            raise UnreadableAnswer(f"Expo: {len(tokens)} messages have {len(tickets)} tickets")
        return tickets

    async def receipts(self, ids: Sequence[str]) -> dict[str, Receipt]:
        """The receipts of at most MOST_RECEIPTS messages by the ids of their tickets, without those
        that Expo does not have: it writes one within half an hour, and keeps it for a day."""
        async with client(headers=self._headers) as http:
            response = await http.post(f"{self._url}/getReceipts", json={"ids": list(ids)})
        receipts = read(response, _Receipts, "Expo").data
        return {name: receipts[name] for name in ids if name in receipts}


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
