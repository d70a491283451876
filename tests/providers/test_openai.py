"""The language model's answers, and its faults, as a queue can act on them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import respx

from functions.providers.http import UnreadableAnswer
from functions.providers.openai import API, LanguageModel, language_model
from shared import ConfigurationError, Discard

CHAT, EMBEDDINGS = f"{API}/chat/completions", f"{API}/embeddings"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> LanguageModel:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    return language_model()


def completion(text: str | None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}


@respx.mock
async def test_a_question_is_answered(model: LanguageModel) -> None:
    route = respx.post(CHAT).respond(200, json=completion("Forty-two."))

    assert await model.complete("Be brief.", "Why?", most_tokens=50) == "Forty-two."

    request = route.calls[0].request
    assert request.headers["authorization"] == "Bearer sk-test"
    assert json.loads(request.content) == {
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Why?"},
        ],
        "max_tokens": 50,
    }


@respx.mock
async def test_embeddings_come_in_the_order_of_their_texts(model: LanguageModel) -> None:
    vectors = [{"index": 1, "embedding": [1.0]}, {"index": 0, "embedding": [0.0]}]
    respx.post(EMBEDDINGS).respond(200, json={"data": vectors})

    assert await model.embed(["a", "b"]) == [[0.0], [1.0]]


@respx.mock
@pytest.mark.parametrize("indices", [[], [0], [0, 0], [1, 2], [0, 1, 2]])
async def test_embeddings_of_other_texts_are_refused(
    indices: list[int], model: LanguageModel
) -> None:
    data = [{"index": index, "embedding": [0.5]} for index in indices]
    respx.post(EMBEDDINGS).respond(200, json={"data": data})

    with pytest.raises(UnreadableAnswer, match="2 texts have"):
        await model.embed(["a", "b"])


@respx.mock
@pytest.mark.parametrize("status", [408, 500, 503])
async def test_a_failure_that_may_pass_carries_its_retry_after(
    status: int, model: LanguageModel
) -> None:
    respx.post(CHAT).respond(status, headers={"retry-after": "20"})

    with pytest.raises(httpx.HTTPStatusError) as caught:
        await model.complete("", "?")

    assert caught.value.response.headers["retry-after"] == "20"


@respx.mock
@pytest.mark.parametrize("status", [400, 401, 404])
async def test_a_refusal_is_final(status: int, model: LanguageModel) -> None:
    error = {"error": {"message": "no such model", "type": "invalid_request_error"}}
    respx.post(CHAT).respond(status, json=error)

    with pytest.raises(Discard, match=f"The language model answers {status}: no such model"):
        await model.complete("", "?")


@respx.mock
@pytest.mark.parametrize(
    "body", ["<html>", "{}", json.dumps(completion(None)), json.dumps(completion(""))]
)
async def test_an_answer_without_text_is_retried(body: str, model: LanguageModel) -> None:
    respx.post(CHAT).respond(200, text=body)

    with pytest.raises(UnreadableAnswer, match="The language model"):
        await model.complete("", "?")


def test_no_key_is_one_clear_sentence() -> None:
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY is not set"):
        language_model()
