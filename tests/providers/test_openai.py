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


def completion(text: str | None, end: str | None = None, **message: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, **message}
    choice: dict[str, Any] = {"index": 0, "message": message}
    return {"choices": [choice if end is None else {**choice, "finish_reason": end}]}


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
        "max_completion_tokens": 50,
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
    "body",
    [
        "<html>",
        "{}",
        *(json.dumps(completion(text)) for text in (None, "", " \n", "<think>all", "\u2003")),
        json.dumps(completion("Half an ans", "error")),
        json.dumps(completion("<think>a</think>\n", "stop")),
    ],
)
async def test_an_answer_without_text_is_retried(body: str, model: LanguageModel) -> None:
    respx.post(CHAT).respond(200, text=body)

    with pytest.raises(UnreadableAnswer, match="The language model"):
        await model.complete("", "?")


def limits(route: respx.Route) -> list[tuple[str, int]]:
    """The most tokens of each request, by the name that it has there."""
    bodies = [json.loads(call.request.content) for call in route.calls]
    return [(name, n) for body in bodies for name, n in body.items() if name.startswith("max")]


def room(least: int, refusal: dict[str, Any] | None = None) -> respx.Route:
    """A model that needs this many tokens for an answer."""

    def answer(request: httpx.Request) -> httpx.Response:
        tokens = json.loads(request.content)["max_completion_tokens"]
        if tokens >= least:
            return httpx.Response(200, json=completion("Whole.", "stop"))
        if refusal is not None:
            return httpx.Response(400, json={"error": refusal})
        return httpx.Response(200, json=completion("Hal", "length"))

    return respx.post(CHAT).mock(side_effect=answer)


NO_ROOM = {
    "message": "Could not finish the message because max_tokens or model output limit was reached. "
    "Please try again with higher max_tokens.",
    "type": "invalid_request_error",
}


@respx.mock
@pytest.mark.parametrize("refusal", [None, NO_ROOM])
async def test_an_answer_that_was_cut_is_asked_for_with_more_room(
    refusal: dict[str, Any] | None, model: LanguageModel
) -> None:
    route = room(500, refusal)

    assert await model.complete("", "?", most_tokens=100) == "Whole."
    assert [n for _name, n in limits(route)] == [100, 400, 1600]

    assert await model.complete("", "?", most_tokens=100) == "Whole."
    assert [n for _name, n in limits(route)][3:] == [1600]


@respx.mock
@pytest.mark.parametrize("end", ["length", "LENGTH", "max_tokens", "model_length"])
async def test_an_answer_that_never_fits_is_told(end: str, model: LanguageModel) -> None:
    route = respx.post(CHAT).respond(200, json=completion("Hal", end))

    for _time in range(2):
        with pytest.raises(Discard, match="does not fit into 1600 tokens"):
            await model.complete("", "?", most_tokens=100)
    assert [n for _name, n in limits(route)] == [100, 400, 1600, 1600]


@respx.mock
@pytest.mark.parametrize(
    ("body", "told"),
    [
        (completion(None, "stop", refusal="I can't help with that."), "refuses: I can't help"),
        (completion("I can", "stop", refusal="No."), "refuses: No."),
        (completion("The ket", "content_filter"), "filter of the language model's provider"),
        (completion(None, "SAFETY"), "filter of the language model's provider"),
    ],
)
async def test_a_refusal_in_an_answer_is_paid_once(
    body: dict[str, Any], told: str, model: LanguageModel
) -> None:
    route = respx.post(CHAT).respond(200, json=body)

    with pytest.raises(Discard, match=told):
        await model.complete("", "?")
    assert route.call_count == 1


@respx.mock
@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ("<think>first\nsecond</think>\n\nThe answer", "The answer"),
        ("\n<think></think>The answer", "The answer"),
        ("<thinking>a</thinking> The answer", "The answer"),
        ("of course\n</think>\nThe answer", "The answer"),
        ("Write `<think>` and `</think>` so.", "Write `<think>` and `</think>` so."),
        ("So:\n<think>\nx\n</think>\nend", "So:\n<think>\nx\n</think>\nend"),
    ],
)
@pytest.mark.parametrize("end", [None, "stop", "eos_token", "tool_calls"])
async def test_a_model_s_thoughts_are_no_part_of_its_answer(
    content: str, answer: str, end: str | None, model: LanguageModel
) -> None:
    respx.post(CHAT).respond(200, json=completion(content, end))

    assert await model.complete("", "?") == answer


THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "Let me see."}]}
ANSWER = {"type": "text", "text": "The answer"}


@respx.mock
@pytest.mark.parametrize(
    "chunks",
    [
        [THOUGHT, ANSWER],
        [ANSWER],
        [{"type": "text", "text": "The "}, THOUGHT, {"type": "text", "text": "answer\n"}],
        [{**THOUGHT, "closed": True}, ANSWER, {"type": "reference", "reference_ids": [1, 2]}],
        [{"type": "reasoning", "text": "hm"}, ANSWER, {"type": "text", "text": None}],
        [{"type": "text", "text": "<think>hm</think>The answer"}],
        ["x", None, 1, {}, ANSWER],
    ],
)
async def test_an_answer_in_chunks_is_their_text(chunks: list[Any], model: LanguageModel) -> None:
    body = completion(None, "stop", content=chunks)
    route = respx.post(CHAT).respond(200, json=body)

    assert await model.complete("", "?") == "The answer"
    assert route.call_count == 1


@respx.mock
@pytest.mark.parametrize("chunks", [[], [THOUGHT], [{"type": "text"}], [[]]])
async def test_chunks_without_text_are_no_answer(chunks: list[Any], model: LanguageModel) -> None:
    respx.post(CHAT).respond(200, json=completion(None, "stop", content=chunks))

    with pytest.raises(UnreadableAnswer, match="no text"):
        await model.complete("", "?")


@respx.mock
async def test_chunks_that_were_cut_are_asked_for_with_more_room(model: LanguageModel) -> None:
    bodies = [completion(None, "length", content=[THOUGHT]), completion("Whole.", "stop")]
    respx.post(CHAT).mock(side_effect=[httpx.Response(200, json=body) for body in bodies])

    assert await model.complete("", "?") == "Whole."


UNSUPPORTED = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. "
    "Use 'max_completion_tokens' instead."
)


@respx.mock
@pytest.mark.parametrize(
    ("message", "asked"),
    [
        (UNSUPPORTED, ["max_tokens", "max_completion_tokens", "max_completion_tokens"]),
        ("Unsupported parameter: max_tokens", ["max_tokens"] + 2 * ["max_completion_tokens"]),
    ],
)
async def test_a_model_that_knows_the_limit_by_its_newer_name_is_asked_so(
    message: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://models.example/v1/")
    error = {"message": message, "param": "max_tokens", "code": "unsupported_parameter"}

    def answer(request: httpx.Request) -> httpx.Response:
        if "max_tokens" in json.loads(request.content):
            return httpx.Response(400, json={"error": error})
        return httpx.Response(200, json=completion("Forty-two.", "stop"))

    route = respx.post("https://models.example/v1/chat/completions").mock(side_effect=answer)
    model = language_model()

    assert await model.complete("", "?") == await model.complete("", "?") == "Forty-two."
    assert [name for name, _n in limits(route)] == asked


@respx.mock
@pytest.mark.parametrize(
    "message",
    ["max_tokens is too large: 12800", "Unsupported parameter: 'temperature'", "no such model"],
)
async def test_another_refusal_is_asked_once(message: str, model: LanguageModel) -> None:
    route = respx.post(CHAT).respond(400, json={"error": {"message": message}})

    with pytest.raises(Discard, match="answers 400"):
        await model.complete("", "?")
    assert route.call_count == 1


@respx.mock
async def test_two_names_that_are_both_refused_end_the_question(model: LanguageModel) -> None:
    message = "Unsupported: max_tokens, max_completion_tokens"
    route = respx.post(CHAT).respond(400, json={"error": {"message": message}})

    with pytest.raises(Discard, match="Unsupported"):
        await model.complete("", "?")
    assert route.call_count == 2


def test_no_key_is_one_clear_sentence() -> None:
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY is not set"):
        language_model()
