"""Models behind an OpenAI-compatible API: chat completions, embeddings, moderation.

https://platform.openai.com/docs/api-reference. Other providers, and servers that one runs oneself,
speak the same: `OPENAI_BASE_URL` says where.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, Field

from shared import ConfigurationError

from .http import Model, UnreadableAnswer, client, read

API = "https://api.openai.com/v1"
MODERATION_MODEL = "omni-moderation-latest"
LONGEST_ANSWER = 120.0
"""Seconds that a model may take for one answer."""


class _Message(BaseModel):
    content: str = Field(min_length=1)


class _Choice(BaseModel):
    message: _Message


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


class LanguageModel:
    """One chat model and one embedding model of an account."""

    def __init__(self, key: str, base_url: str, chat_model: str, embedding_model: str) -> None:
        self._headers = {"authorization": f"Bearer {key}"}
        self._base = base_url.rstrip("/")
        self.chat_model = chat_model
        self.embedding_model = embedding_model

    async def complete(self, instructions: str, question: str, *, most_tokens: int = 800) -> str:
        """The model's answer to one question."""
        messages = [
            {"role": "system", "content": instructions},
            {"role": "user", "content": question},
        ]
        body = {"model": self.chat_model, "messages": messages, "max_tokens": most_tokens}
        answer = await self._post("chat/completions", body, _Completion)
        return answer.choices[0].message.content

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

    async def _post(self, path: str, body: Mapping[str, object], model: type[Model]) -> Model:
        async with client(headers=self._headers, timeout=LONGEST_ANSWER) as http:
            response = await http.post(f"{self._base}/{path}", json=body)
        return read(response, model, "The language model")


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
