"""Telegram's answers, and its faults, as a queue can act on them; none of them shows the token."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import respx

from functions.providers.http import SPREAD, UnreadableAnswer
from functions.providers.telegram import API, LONGEST_TEXT, Telegram, TelegramFailed, telegram
from shared import ConfigurationError, Discard, Snooze

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
SEND = f"{API}/bot{TOKEN}/sendMessage"
SENT = {
    "ok": True,
    "result": {
        "message_id": 4711,
        "from": {"id": 110201543, "is_bot": True, "first_name": "FLRTS", "username": "flrts_bot"},
        "chat": {"id": 279058397, "first_name": "Ada", "type": "private"},
        "date": 1735668605,
        "text": "Task created: Buy milk",
    },
}


@pytest.fixture
def bot(monkeypatch: pytest.MonkeyPatch) -> Telegram:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    return telegram()


def refusal(status: int, description: str, **parameters: Any) -> httpx.Response:
    """A failure as Telegram writes it."""
    body = {"ok": False, "error_code": status, "description": description}
    return httpx.Response(status, json=body | ({"parameters": parameters} if parameters else {}))


@respx.mock
async def test_a_message_is_sent_as_plain_text(bot: Telegram) -> None:
    route = respx.post(SEND).respond(200, json=SENT)

    assert await bot.send(279058397, "<b>5 < 6</b> *yes*") == 4711

    assert json.loads(route.calls[0].request.content) == {
        "chat_id": 279058397,
        "text": "<b>5 < 6</b> *yes*",
        "link_preview_options": {"is_disabled": True},
    }


@respx.mock
async def test_a_message_goes_to_its_topic(bot: Telegram) -> None:
    route = respx.post(SEND).respond(200, json=SENT)

    await bot.send(-100123, "hello", 7)

    assert json.loads(route.calls[0].request.content)["message_thread_id"] == 7


@respx.mock
@pytest.mark.parametrize(
    "said", ["Bad Request: message thread not found", "Bad Request: TOPIC_CLOSED", "TOPIC_DELETED"]
)
async def test_a_topic_that_is_gone_sends_to_the_chat(said: str, bot: Telegram) -> None:
    route = respx.post(SEND)
    route.side_effect = [refusal(400, said), httpx.Response(200, json=SENT), refusal(400, said)]

    assert await bot.send(-100123, "hello", 7) == 4711
    assert "message_thread_id" not in json.loads(route.calls[1].request.content)
    with pytest.raises(Discard):
        await bot.send(-100123, "hello")


@respx.mock
@pytest.mark.parametrize("text", ["x" * 5000, "🌊" * 3000, "x" + "🌊" * 3000])
async def test_a_text_that_is_too_long_is_cut_between_characters(text: str, bot: Telegram) -> None:
    route = respx.post(SEND).respond(200, json=SENT)

    await bot.send(1, text)

    sent = json.loads(route.calls[0].request.content)["text"]
    assert LONGEST_TEXT - 1 <= len(sent.encode("utf-16-le")) // 2 <= LONGEST_TEXT
    assert sent[-1] == "…"
    assert text.startswith(sent[:-1])


@respx.mock
async def test_a_group_that_became_a_supergroup_is_followed(bot: Telegram) -> None:
    moved = refusal(
        400,
        "Bad Request: group chat was upgraded to a supergroup chat",
        migrate_to_chat_id=-1001234567890,
    )
    route = respx.post(SEND).mock(side_effect=[moved, httpx.Response(200, json=SENT)])

    assert await bot.send(-1234, "hello") == 4711

    chats = [json.loads(call.request.content)["chat_id"] for call in route.calls]
    assert chats == [-1234, -1001234567890]


@respx.mock
@pytest.mark.parametrize(
    ("parameters", "seconds"),
    [({"retry_after": 34}, 34.0), ({}, 5.0), ({"retry_after": 10**9}, 86_400.0)],
)
async def test_a_limit_of_the_bot_costs_the_message_no_attempt(
    parameters: dict[str, int], seconds: float, bot: Telegram
) -> None:
    respx.post(SEND).mock(
        return_value=refusal(429, "Too Many Requests: retry after 34", **parameters)
    )

    with pytest.raises(Snooze) as caught:
        await bot.send(1, "hello")

    assert seconds <= caught.value.seconds <= seconds + SPREAD


@respx.mock
@pytest.mark.parametrize(
    ("status", "description"),
    [
        (400, "Bad Request: chat not found"),
        (401, "Unauthorized"),
        (403, "Forbidden: bot was blocked by the user"),
        (404, "Not Found"),
    ],
)
async def test_a_refusal_is_final(status: int, description: str, bot: Telegram) -> None:
    respx.post(SEND).mock(return_value=refusal(status, description))

    with pytest.raises(Discard, match=f"Telegram answers {status}: {description}"):
        await bot.send(1, "hello")


@respx.mock
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_failure_that_may_pass_is_retried(status: int, bot: Telegram) -> None:
    respx.post(SEND).mock(return_value=refusal(status, "Internal Server Error"))

    with pytest.raises(TelegramFailed, match=f"answers {status}"):
        await bot.send(1, "hello")


@respx.mock
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, "<html>"),
        (200, ""),
        (200, "[]"),
        (200, '{"ok": true}'),
        (200, '{"ok": true, "result": {"message_id": "x"}}'),
        (502, "<html>Bad Gateway</html>"),
        (429, '{"ok": false, "parameters": {"retry_after": NaN}}'),
    ],
)
async def test_an_answer_that_says_nothing_is_retried(
    status: int, body: str, bot: Telegram
) -> None:
    respx.post(SEND).respond(status, text=body)

    with pytest.raises(UnreadableAnswer, match=f"Telegram: the answer {status}") as caught:
        await bot.send(1, "hello")

    assert TOKEN not in repr(caught.value)


@respx.mock
async def test_a_silent_server_is_retried(bot: Telegram) -> None:
    respx.post(SEND).mock(side_effect=httpx.ReadTimeout("slow"))

    with pytest.raises(httpx.ReadTimeout) as caught:
        await bot.send(1, "hello")

    assert TOKEN not in str(caught.value)


def test_no_token_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TELEGRAM_BOT_TOKEN", raising=False)

    with pytest.raises(ConfigurationError, match="TELEGRAM_BOT_TOKEN is not set"):
        telegram()


@respx.mock
async def test_the_log_of_the_http_client_shows_no_token(
    bot: Telegram, caplog: pytest.LogCaptureFixture
) -> None:
    respx.post(SEND).respond(200, json=SENT)

    with caplog.at_level("DEBUG"):
        await bot.send(1, "x")

    assert "sendMessage" in caplog.text
    assert TOKEN not in caplog.text
