"""A stand-in of an OpenAI-compatible API: chat, embeddings, moderation.

Its model writes sentences of what it was given, and its vectors are hashes: it shows the traffic of
a language model, not its wit.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .faults import Faults

HARMFUL = re.compile(r"\b(kill|hurt)\b")
_LONGEST_SUBJECT = 200
"""Characters of a question by which a document is told from another."""


@dataclass(slots=True)
class OpenAI:
    """The models, and what they were asked: question -> answers that were sent."""

    faults: Faults
    answered: Counter[str] = field(default_factory=Counter)

    def routes(self) -> list[Route]:
        return [
            Route("/chat/completions", self._chat, methods=["POST"]),
            Route("/embeddings", self._embed, methods=["POST"]),
            Route("/moderations", self._moderate, methods=["POST"]),
        ]

    async def _chat(self, request: Request) -> Response:
        messages = (await request.json())["messages"]
        question = messages[-1]["content"]

        def serve() -> Response:
            self.answered[question] += 1
            message = {"role": "assistant", "content": _sentences(question)}
            return JSONResponse({"choices": [{"index": 0, "message": message}]})

        return await self._answer(request, question[:_LONGEST_SUBJECT], serve)

    async def _embed(self, request: Request) -> Response:
        texts: list[str] = (await request.json())["input"]
        data = [{"index": n, "embedding": _vector(text)} for n, text in enumerate(texts)]
        return await self._answer(request, texts[0], lambda: JSONResponse({"data": data}))

    async def _moderate(self, request: Request) -> Response:
        parts: list[dict[str, Any]] = (await request.json())["input"]
        text = " ".join(part.get("text", "") for part in parts)
        harmful = HARMFUL.search(text) is not None
        result = {"flagged": harmful, "categories": {"violence": harmful, "hate": False}}
        return await self._answer(request, text, lambda: JSONResponse({"results": [result]}))

    async def _answer(self, request: Request, subject: str, serve: Any) -> Response:
        if not request.headers.get("authorization", "").startswith("Bearer "):
            return JSONResponse({"error": {"message": "no API key"}}, 401)
        return await self.faults.answer(subject, serve)


def _sentences(question: str) -> str:
    """Some sentences of the question, other ones for another last line."""
    sentences = re.findall(r"[A-Z][^.\n]{20,200}\.", question) or [question[:200]]
    start = hashlib.sha256(question.rpartition("\n")[2].encode()).digest()[0]
    return " ".join(sentences[(start + n) % len(sentences)] for n in range(min(3, len(sentences))))


def _vector(text: str) -> list[float]:
    return [byte / 255 for byte in hashlib.sha256(text.encode()).digest()[:8]]
