"""Models behind an OpenAI-compatible API: chat completions, embeddings, moderation.

https://platform.openai.com/docs/api-reference. Other providers, and servers that one runs oneself,
speak the same: `OPENAI_BASE_URL` says where.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Annotated

import httpx
from pydantic import BaseModel, BeforeValidator, Field

from shared import ConfigurationError, Discard
from shared.jobs.redact import keep_secret

from .http import LONGEST_MESSAGE, Model, UnreadableAnswer, client, message_of, read

API = "https://api.openai.com/v1"
MODERATION_MODEL = "omni-moderation-latest"
LONGEST_ANSWER = 120.0
"""Seconds that a model may take for one answer."""
ROOM: tuple[int, ...] = (1, 4, 16)
"""How many times the tokens that were asked for an answer may have, try by try: models that think
spend them on thoughts."""
_NO_ROOM = "Could not finish the message because max_tokens"
"""What OpenAI says where a model spent all tokens on thoughts."""
_CUT = {"length", "max_tokens", "model_length"}
_FILTERED = {"content_filter", "safety"}
"""Words for the end of an answer that is not whole, of several providers."""
_THOUGHTS = re.compile(
    r"\s*<(think(?:ing)?)>.*?(?:</\1>|\Z)|(?:(?!<think).)*?^</think>$", re.DOTALL | re.MULTILINE
)
"""What some models write before an answer. The first tag may be a part of their prompt."""
_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""The two names of the most tokens. OpenAI's newer models refuse the older one, which is the only
one that other servers know."""


class _NotWhole(Exception):
    """An answer did not fit into its tokens."""


def _joined(content: object) -> object:
    """The texts of content in chunks, without those that a model thinks. Mistral's reasoning models
    answer so: https://docs.mistral.ai/capabilities/reasoning"""
    if not isinstance(content, list):
        return content
    chunks = [chunk for chunk in content if isinstance(chunk, dict) and chunk.get("type") == "text"]
    return "".join(str(chunk.get("text") or "") for chunk in chunks)


class _Message(BaseModel):
    content: Annotated[str | None, BeforeValidator(_joined)] = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)


class _Vector(BaseModel):
    index: int
    embedding: list[float] = Field(min_length=1)


class _Embeddings(BaseModel):
    data: list[_Vector]


class _Moderation(BaseModel):
    flagged: bool
    categories: dict[str, bool | None]


class _Moderations(BaseModel):
    results: list[_Moderation] = Field(min_length=1)


_SERVICE = "The language model"


class LanguageModel:
    """One chat model and one embedding model of an account."""

    def __init__(self, key: str, base_url: str, chat_model: str, embedding_model: str) -> None:
        keep_secret([key])
        self._headers = {"authorization": f"Bearer {key}"}
        self._base = base_url.rstrip("/")
        self.chat_model = chat_model
        self.embedding_model = embedding_model
        self._limit = "max_completion_tokens" if self._base == API else "max_tokens"
        self._tries = ROOM  # what was too little once is not asked for again

    async def complete(self, instructions: str, question: str, *, most_tokens: int = 800) -> str:
        """The model's whole answer to one question. One that does not fit into its tokens is asked
        for again with more. Raises Discard where the model refuses, or none of this helps."""
        messages = [
            {"role": "system", "content": instructions},
            {"role": "user", "content": question},
        ]
        body = {"model": self.chat_model, "messages": messages}
        while True:
            tokens = most_tokens * self._tries[0]
            try:
                return _whole_text(await self._ask(body, tokens))
            except _NotWhole:
                if len(self._tries) == 1:
                    said = f"the language model's answer does not fit into {tokens} tokens"
                    raise Discard(said) from None
                self._tries = self._tries[1:]

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text, in order."""
        body = {"model": self.embedding_model, "input": list(texts)}
        answer = await self._post("embeddings", body, _Embeddings)
        by_index = {vector.index: vector.embedding for vector in answer.data}
        if sorted(by_index) != list(range(len(texts))):
            raise UnreadableAnswer(f"{len(texts)} texts have {len(answer.data)} embeddings")
        return [by_index[index] for index in range(len(texts))]

    async def moderate(self, text: str, image: str | None) -> list[str]:
        """The categories of harm that a text and an image, by its address, show; [] for none."""
        shown: list[dict[str, object]] = [{"type": "text", "text": text}] if text else []
        if image is not None:
            shown.append({"type": "image_url", "image_url": {"url": image}})
        body = {"model": MODERATION_MODEL, "input": shown}
        result = (await self._post("moderations", body, _Moderations)).results[0]
        names = sorted(name for name, shows in result.categories.items() if shows)
        return names or (["flagged"] if result.flagged else [])

    async def _ask(self, body: Mapping[str, object], tokens: int) -> _Choice:
        path = "chat/completions"
        response = await self._send(path, {**body, self._limit: tokens})
        if _refuses(response, self._limit):
            self._limit = _LIMITS[self._limit]
            response = await self._send(path, {**body, self._limit: tokens})
        if message_of(response).startswith(_NO_ROOM):
            raise _NotWhole
        return read(response, _Completion, _SERVICE).choices[0]

    async def _post(self, path: str, body: Mapping[str, object], model: type[Model]) -> Model:
        return read(await self._send(path, body), model, _SERVICE)

    async def _send(self, path: str, body: Mapping[str, object]) -> httpx.Response:
        async with client(headers=self._headers, timeout=LONGEST_ANSWER) as http:
            return await http.post(f"{self._base}/{path}", json=body)


def language_model() -> LanguageModel:
    """The models that the environment selects. Raises ConfigurationError without a key."""
    key = os.environ.get("OPENAI_API_KEY")
    if not key:
        raise ConfigurationError("OPENAI_API_KEY is not set: no language model can be asked")
    return LanguageModel(
        key,
        os.environ.get("OPENAI_BASE_URL") or API,
        os.environ.get("OPENAI_MODEL") or "gpt-4o-mini",
        os.environ.get("OPENAI_EMBEDDING_MODEL") or "text-embedding-3-small",
    )


def _refuses(response: httpx.Response, limit: str) -> bool:
    """True if the model does not know the most tokens by this name."""
    said = message_of(response)
    known = _LIMITS[limit] not in said and "unsupported" not in said.lower()
    return response.status_code == httpx.codes.BAD_REQUEST and limit in said and not known


def _whole_text(choice: _Choice) -> str:
    """The text of an answer, without the model's thoughts. Raises _NotWhole, Discard for a refusal,
    and UnreadableAnswer where there is none: the next one may have some."""
    end = (choice.finish_reason or "").lower()
    if choice.message.refusal:
        raise Discard(f"the language model refuses: {choice.message.refusal[:LONGEST_MESSAGE]}")
    if end in _FILTERED:
        raise Discard("the filter of the language model's provider cut the answer")
    if end in _CUT:
        raise _NotWhole
    text = choice.message.content or ""
    thoughts = _THOUGHTS.match(text)
    text = text[thoughts.end() :] if thoughts else text
    if end == "error" or not text.strip():
        raise UnreadableAnswer(f"{_SERVICE}: no text (finish_reason={end[:40]!r})")
    return text.strip()
