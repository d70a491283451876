"""A 429 limits an account and is no fault of the job that met it: it spends no attempt, and the
jobs that met it do not come back together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
import respx

from functions.providers.alpaca import Alpaca
from functions.providers.expo import Expo
from functions.providers.http import SPREAD, WAIT, check, message_of
from functions.providers.mail import QUOTA_WAIT, Resend
from functions.providers.openai import LanguageModel
from functions.providers.openproject import OpenProject
from functions.providers.openweather import OpenWeather
from functions.providers.telegram import Telegram
from functions.providers.templates import Email
from functions.providers.tradingview import TradingView
from shared import Discard, Snooze

EMAIL = Email(to="ada@example.com", subject="s", text="t", html="<p>t</p>")
MODEL = LanguageModel("k", "https://models.example", "m", "e")
CALLS: dict[str, Callable[[], Awaitable[object]]] = {
    "alpaca": lambda: Alpaca("k", "s").fills(None, None),
    "chat": lambda: MODEL.complete("", "?"),
    "embeddings": lambda: MODEL.embed(["a"]),
    "expo": lambda: Expo(None).push(["a"], "t", "b"),
    "moderation": lambda: MODEL.moderate("a", None),
    "openproject": lambda: OpenProject("https://p.example", "k", "p").get(1),
    "openweather": lambda: OpenWeather("k").current(1.0, 2.0),
    "resend": lambda: Resend("k", "a@example.com").send(EMAIL, "key"),
    "tradingview": lambda: TradingView("s").grant("ada", "PUB;aaaaaaaa", None),
}


@pytest.fixture
def service() -> Iterator[respx.Route]:
    """What every service answers."""
    with respx.mock as router:
        yield router.route()


@pytest.mark.parametrize("name", sorted(CALLS))
@pytest.mark.parametrize(
    ("headers", "seconds"), [({"retry-after": "7"}, 7.0), ({}, WAIT), ({"retry-after": "?"}, WAIT)]
)
async def test_a_limit_of_the_account_spends_no_attempt(
    name: str, headers: dict[str, str], seconds: float, service: respx.Route
) -> None:
    service.respond(429, headers=headers, json={"message": "Too many requests"})
    waits = []

    for _job in range(20):
        with pytest.raises(Snooze) as caught:
            await CALLS[name]()
        waits.append(caught.value.seconds)

    assert seconds <= min(waits) <= max(waits) <= seconds + SPREAD
    assert len(set(waits)) > 1


async def test_telegram_s_limit_is_spread_too(service: respx.Route) -> None:
    answer = {"ok": False, "description": "Too Many", "parameters": {"retry_after": 34}}
    service.respond(429, json=answer)
    waits = set()

    for _job in range(20):
        with pytest.raises(Snooze) as caught:
            await Telegram("1:a").send(1, "hello")
        waits.add(caught.value.seconds)

    assert 34 <= min(waits) < max(waits) <= 34 + SPREAD


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("chat", {"error": {"message": "no credit", "code": "insufficient_quota"}}),
        ("embeddings", {"error": {"message": "no credit", "type": "insufficient_quota"}}),
        ("resend", {"name": "monthly_quota_exceeded", "message": "no credit"}),
    ],
)
async def test_a_quota_that_no_wait_restores_is_final_and_named(
    name: str, body: dict[str, Any], service: respx.Route
) -> None:
    service.respond(429, headers={"retry-after": "7"}, json=body)

    with pytest.raises(Discard, match="answers 429: no credit"):
        await CALLS[name]()


async def test_the_emails_of_a_day_go_on_when_it_is_over(service: respx.Route) -> None:
    service.respond(429, json={"name": "daily_quota_exceeded", "message": "no credit"})

    with pytest.raises(Snooze) as caught:
        await CALLS["resend"]()

    assert QUOTA_WAIT <= caught.value.seconds <= QUOTA_WAIT + SPREAD


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"errors": [{"code": "SOME_CODE", "message": "all of one project"}]},
            "all of one project",
        ),
        ({"errors": [{"code": "SOME_CODE"}]}, "SOME_CODE"),
        ({"errors": ["no"]}, "no"),
        ({"errors": []}, ""),
        ({"errors": None, "message": None}, ""),
        ({"message": None, "detail": "here"}, "here"),
        ({"error": {"message": "there", "code": None}}, "there"),
        ({"error": {}}, ""),
        (["no object"], ""),
    ],
)
def test_a_refusal_says_why_in_each_form_that_services_have(body: Any, said: str) -> None:
    response = httpx.Response(400, json=body)

    assert message_of(response) == said
    with pytest.raises(Discard, match=f"S answers 400: {said}"):
        check(response, "S")
