"""What became of warnings that Expo took: who is gone is forgotten, and what is odd costs no other
phone anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
import respx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.apps.weather import AlertBatch, SentAlerts, WeatherAlert, read_receipts, send_alert
from functions.apps.weather.tables import Tables
from functions.providers import expo
from functions.providers.http import UnreadableAnswer
from shared import ConfigurationError, Discard
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.store import Store
from shared.testing import FakeClock, embedded_store, run_job

from ..conftest import MakeContext

PUSH = f"{expo.API}/--/api/v2/push/send"
RECEIPTS = f"{expo.API}/--/api/v2/push/getReceipts"
STORM = WeatherAlert.model_validate(
    {"place": "berlin", "kind": "storm", "day": "2026-03-02", "text": "A thunderstorm."}
)
OK = {"status": "ok"}
HALF_AN_HOUR = 1800
PHONES = [f"ExponentPushToken[{number:02}]" for number in range(100)]


def failure(error: Any, message: Any = "why") -> dict[str, Any]:
    return {"status": "error", "message": message, "details": {"error": error}}


GONE = failure("DeviceNotRegistered")


def take(request: httpx.Request) -> httpx.Response:
    """Expo takes every message. A ticket has the phone's number."""
    tokens = [message["to"] for message in json.loads(request.content)]
    return httpx.Response(200, json={"data": [{**OK, "id": f"r{token[-3:]}"} for token in tokens]})


def give(receipts: Mapping[str, Any]) -> Callable[[httpx.Request], httpx.Response]:
    """Expo has these receipts."""

    def answer(request: httpx.Request) -> httpx.Response:
        ids = json.loads(request.content)["ids"]
        data = {name: receipts[name] for name in ids if name in receipts}
        return httpx.Response(200, json={"data": data})

    return answer


async def drain(store: Store, clock: FakeClock) -> None:
    await Drain(store, Registry([]), Budget.of(60, clock=clock)).run([send_alert.queue])


def subscribed(tables: Tables) -> list[str]:
    return tables.unwarned("berlin", "another", "", 1000)


@respx.mock
async def test_a_phone_whose_receipt_says_that_it_is_gone_is_forgotten(tables: Tables) -> None:
    tables.subscribe("berlin", PHONES[:3])
    respx.post(PUSH).mock(side_effect=take)
    asked = respx.post(RECEIPTS).mock(side_effect=give({"r00]": OK, "r01]": OK, "r02]": GONE}))
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        await send_alert.enqueue(AlertBatch(alert=STORM, tokens=tuple(PHONES[:3])))
        await drain(store, clock)
        clock.advance(HALF_AN_HOUR - 300)
        await drain(store, clock)
        assert (asked.call_count, len(subscribed(tables))) == (0, 3)
        clock.advance(300)
        await drain(store, clock)
        assert (await store.stats(send_alert.queue)).sizes["dead"] == 0

    assert subscribed(tables) == PHONES[:2]
    assert [json.loads(call.request.content) for call in asked.calls] == [
        {"ids": ["r00]", "r01]", "r02]"]}
    ]


@respx.mock
async def test_a_batch_costs_one_request_for_its_receipts(tables: Tables) -> None:
    respx.post(PUSH).mock(side_effect=take)
    asked = respx.post(RECEIPTS).mock(side_effect=give({}))
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        await send_alert.enqueue(AlertBatch(alert=STORM, tokens=tuple(PHONES)))
        await drain(store, clock)
        clock.advance(HALF_AN_HOUR + 1)
        await drain(store, clock)

    (call,) = asked.calls
    assert len(json.loads(call.request.content)["ids"]) == len(PHONES) <= expo.MOST_RECEIPTS


SENT = SentAlerts(phones={"r0": "a", "r1": "b", "r2": "c", "r3": "d"})


@respx.mock
async def test_a_receipt_says_what_became_of_a_warning(tables: Tables) -> None:
    tables.subscribe("berlin", ["a", "b", "c", "d"])
    big = failure("MessageTooBig", "too big")
    respx.post(RECEIPTS).mock(side_effect=give({"r0": OK, "r1": GONE, "r2": big}))

    result = await read_receipts(SENT)

    told = ["MessageTooBig: too big"]
    assert result == {"delivered": 1, "gone": 1, "failed": told, "unknown": 1}
    assert subscribed(tables) == ["a", "c", "d"]


@respx.mock
@pytest.mark.parametrize("error", ["InvalidCredentials", "MismatchSenderId", "DeveloperError"])
async def test_wrong_credentials_are_a_dead_letter_that_forgets_who_is_gone(
    error: str, tables: Tables
) -> None:
    tables.subscribe("berlin", ["a", "b", "c", "d"])
    respx.post(RECEIPTS).mock(side_effect=give({"r0": failure(error), "r3": GONE}))

    with pytest.raises(Discard, match=f"Expo: {error}: why"):
        await read_receipts(SENT)
    assert subscribed(tables) == ["a", "b", "c"]


@respx.mock
@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(502, text="<html>"), httpx.HTTPStatusError),
        (httpx.Response(200, text="<html>"), UnreadableAnswer),
        (httpx.Response(200, json={"data": ["r0"]}), UnreadableAnswer),
        (httpx.Response(401, json={"errors": [{"message": "no token"}]}), Discard),
    ],
)
async def test_receipts_that_can_t_be_read_make_nobody_forgotten(
    response: httpx.Response, error: type[Exception], tables: Tables
) -> None:
    tables.subscribe("berlin", ["a"])
    respx.post(RECEIPTS).mock(return_value=response)

    with pytest.raises(error):
        await read_receipts(SENT)
    assert subscribed(tables) == ["a"]


@respx.mock
async def test_what_was_taken_before_a_failure_has_receipts_too(tables: Tables) -> None:
    tables.subscribe("berlin", ["a", "b"])
    first = [{**OK, "id": "r-a"}, failure("ExpoError")]
    answers = [first, *[[failure("ExpoError")]] * 3]
    respx.post(PUSH).mock(side_effect=[httpx.Response(200, json={"data": d}) for d in answers])
    respx.post(RECEIPTS).mock(side_effect=give({"r-a": GONE}))
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        batch = AlertBatch(alert=STORM, tokens=("a", "b"))
        view = await run_job(store, send_alert, batch, clock=clock)
        clock.advance(HALF_AN_HOUR)
        await drain(store, clock)

    assert view.state == "dead"
    assert subscribed(tables) == ["b"]


NO_TEXT: list[Any] = [None, [], {}, 1]
NO_FIELDS: list[Any] = [None, [], "x", 1, {"error": None}]
ODD: list[Any] = [
    *(None, [], "x", 1, {}, {"status": None}, {"status": "error"}, {"status": "later"}),
    *({"status": "error", "details": odd} for odd in NO_FIELDS),
    *({"status": "error", "details": {"error": odd}} for odd in [*NO_TEXT, "Weird"]),
    *({"status": "error", "message": odd} for odd in NO_TEXT),
    {"status": "error", "message": None, "details": {"error": "Weird", "fault": "developer"}},
]


@respx.mock
@pytest.mark.parametrize("odd", ODD, ids=str)
async def test_an_odd_ticket_costs_no_other_phone_a_second_warning(
    odd: Any, tables: Tables
) -> None:
    tickets = [{**OK, "id": "r0"}, odd, {**OK, "id": "r2"}]
    push = respx.post(PUSH).respond(200, json={"data": tickets})
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        batch = AlertBatch(alert=STORM, tokens=("a", "b", "c"))
        view = await run_job(store, send_alert, batch, clock=clock)

    assert (view.state, view.attempts, push.call_count) == ("completed", 1, 1)
    assert (view.result["sent"], view.result["gone"]) == (2, 0)
    assert view.result["failed"][0]


@respx.mock
@pytest.mark.parametrize("odd", ODD, ids=str)
async def test_an_odd_receipt_costs_no_other_phone_its_own(odd: Any, tables: Tables) -> None:
    tables.subscribe("berlin", ["a", "b", "c", "d"])
    respx.post(RECEIPTS).mock(side_effect=give({"r0": OK, "r1": odd, "r2": GONE}))

    result = await read_receipts(SENT)

    assert (result["delivered"], result["gone"], result["unknown"]) == (1, 1, 1)
    assert subscribed(tables) == ["a", "b", "d"]


@respx.mock
@pytest.mark.parametrize("odd", [None, "", 1, [], "a b", "x" * 129, "é"])
async def test_a_ticket_without_an_id_has_no_receipt(odd: Any, tables: Tables) -> None:
    data = [{**OK, "id": odd}, {**OK, "id": "r1"}, OK]
    respx.post(PUSH).respond(200, json={"data": data})
    asked = respx.post(RECEIPTS).mock(side_effect=give({"r1": OK}))
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        batch = AlertBatch(alert=STORM, tokens=("a", "b", "c"))
        view = await run_job(store, send_alert, batch, clock=clock)
        clock.advance(HALF_AN_HOUR)
        await drain(store, clock)

    assert view.result == {"sent": 3, "gone": 0, "failed": []}
    assert json.loads(asked.calls[0].request.content) == {"ids": ["r1"]}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    receipts=st.lists(st.sampled_from([OK, GONE, failure("MessageTooBig"), "none"]), max_size=20)
)
async def test_exactly_the_phones_that_are_gone_are_forgotten(
    receipts: list[Any], tables: Tables
) -> None:
    phones = PHONES[: len(receipts) + 1]
    tables.unsubscribe(PHONES)
    tables.subscribe("berlin", phones)
    sent = SentAlerts(phones={f"r{token[-3:]}": token for token in phones})
    pairs = zip(sent.phones, receipts, strict=False)
    known = {name: said for name, said in pairs if said != "none"}
    with respx.mock:
        respx.post(RECEIPTS).mock(side_effect=give(known))
        await read_receipts(sent)

    gone = {sent.phones[name] for name, said in known.items() if said is GONE}
    assert set(subscribed(tables)) == set(phones) - gone


@respx.mock
@pytest.mark.parametrize("after", ["soon", "-1", "1.5", "86400", "999999999999", " 5"])
async def test_a_time_that_is_none_is_told_before_anything_is_sent(
    after: str, tables: Tables, context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    push = respx.post(PUSH).mock(side_effect=take)
    monkeypatch.setenv("WEATHER_RECEIPTS_AFTER", after)

    with pytest.raises(ConfigurationError, match="WEATHER_RECEIPTS_AFTER="):
        await send_alert(AlertBatch(alert=STORM, tokens=("a",)), context())
    assert not push.called
