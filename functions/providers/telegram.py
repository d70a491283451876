"""Telegram's Bot API: messages of one bot. https://core.telegram.org/bots/api

The bot's token is a part of each URL. So no error of a response leaves this module: its text would
show the token. The log of the HTTP client, which has each URL, shows it blanked.
"""

from __future__ import annotations

import os

import httpx
from pydantic import BaseModel, Field, ValidationError, model_validator

from shared import ConfigurationError, Discard
from shared.jobs.redact import keep_secret, redacted_start

from .http import UnreadableAnswer, client, is_transient, limited

API = "https://api.telegram.org"
LONGEST_TEXT = 4096
"""UTF-16 code units of a message: Telegram counts these."""
LONGEST_WAIT = 86_400.0


class TelegramFailed(Exception):
    """Telegram can't take a message now. A retry may succeed."""


class _SentMessage(BaseModel):
    message_id: int


class _Parameters(BaseModel):
    retry_after: float | None = Field(None, ge=0, allow_inf_nan=False)
    migrate_to_chat_id: int | None = None


class _Answer(BaseModel):
    ok: bool
    result: _SentMessage | None = None
    description: str = ""
    parameters: _Parameters = _Parameters()

    @model_validator(mode="after")
    def _complete(self) -> _Answer:
        if self.ok and self.result is None:
            raise ValueError("ok, and no message")
        return self


class Telegram:
    """One bot."""

    def __init__(self, token: str, api: str = API) -> None:
        keep_secret([token])
        self._url = f"{api.rstrip('/')}/bot{token}/sendMessage"

    async def send(self, chat: int, text: str, topic: int | None = None) -> int:
        """Send plain text to a chat; the message's id. Text that is too long is cut. `topic`: that
        of a forum, and where it is closed or deleted, the chat's general one.

        A 429 limits the bot and not the message: it raises Snooze, which spends no attempt. Raises
        Discard where Telegram will never take the message: the bot is blocked, or not in the chat.
        """
        response, answer = await self._post(chat, text, topic)
        if topic is not None and _has_no_topic(answer):
            response, answer = await self._post(chat, text, None)
        moved = answer.parameters.migrate_to_chat_id
        if moved is not None:  # the group has become a supergroup, under this id
            response, answer = await self._post(moved, text, None)
        if answer.result is not None:
            return answer.result.message_id
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            seconds = answer.parameters.retry_after
            raise limited("Telegram", None if seconds is None else min(seconds, LONGEST_WAIT))
        said = f"Telegram answers {response.status_code}: {redacted_start(answer.description, 200)}"
        raise TelegramFailed(said) if is_transient(response) else Discard(said)

    async def _post(
        self, chat: int, text: str, topic: int | None
    ) -> tuple[httpx.Response, _Answer]:
        # Without a parse mode nothing in the text is markup.
        body = {
            "chat_id": chat,
            "text": _cut(text),
            "link_preview_options": {"is_disabled": True},
        }
        if topic is not None:
            body["message_thread_id"] = topic
        async with client() as http:
            response = await http.post(self._url, json=body)
        try:
            return response, _Answer.model_validate_json(response.content)
        except ValidationError as error:
            what = f"Telegram: the answer {response.status_code}"
            raise UnreadableAnswer(f"{what}: {error.errors()[0]['msg']}") from None


def _has_no_topic(answer: _Answer) -> bool:
    said = answer.description.lower()
    return any(
        part in said for part in ("message thread not found", "topic_closed", "topic_deleted")
    )


def telegram() -> Telegram:
    """The bot that the environment names. Raises ConfigurationError without a token."""
    token = os.environ.get("TELEGRAM_BOT_TOKEN")
    if not token:
        raise ConfigurationError("TELEGRAM_BOT_TOKEN is not set: ask @BotFather for one")
    return Telegram(token, os.environ.get("TELEGRAM_URL") or API)


def _cut(text: str) -> str:
    units = text.encode("utf-16-le")
    if len(units) <= 2 * LONGEST_TEXT:
        return text
    return units[: 2 * (LONGEST_TEXT - 1)].decode("utf-16-le", errors="ignore") + "…"
