"""What Expo says about a batch of phones, and what becomes of each of them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import httpx
import pytest
import respx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from functions.apps.weather import AlertBatch, WeatherAlert, send_alert
from functions.apps.weather.sending import NotAllSent
from functions.apps.weather.tables import Tables
from functions.providers import expo
from shared import Discard, Snooze
from shared.testing import FakeClock, embedded_store, run_job

from ..conftest import MakeContext

PUSH = f"{expo.API}/--/api/v2/push/send"
STORM = WeatherAlert.model_validate(
    {"place": "berlin", "kind": "storm", "day": "2026-03-02", "text": "A thunderstorm."}
)
PHONES = [f"ExponentPushToken[{number:02}]" for number in range(100)]
OK = {"status": "ok", "id": "1"}


class Service:
    """Expo, with phones of projects (token -> project), and those that it refuses with the whole
    request."""

    def __init__(self, projects: dict[str, str], invalid: set[str], named: bool = True) -> None:
        self.projects, self.invalid, self.named = projects, invalid, named
        self.sent = Counter[str]()
        self.requests = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        tokens = [message["to"] for message in json.loads(request.content)]
        if bad := [token for token in tokens if token in self.invalid]:
            text = f'"{bad[0]}" is not a valid Expo push token'
            return refused({"code": "VALIDATION_ERROR", "message": text})
        details: dict[str, list[str]] = {}
        for token in tokens:
            details.setdefault(self.projects.get(token, "@us/app"), []).append(token)
        if len(details) > 1:
            error = {"code": "PUSH_TOO_MANY_EXPERIENCE_IDS", "message": "of the same project"}
            return refused({**error, "details": details} if self.named else error)
        self.sent.update(tokens)
        return httpx.Response(200, json={"data": [OK] * len(tokens)})


def refused(error: dict[str, Any]) -> httpx.Response:
    return httpx.Response(400, json={"errors": [error]})


def failure(error: str) -> dict[str, Any]:
    return {"status": "error", "message": "why", "details": {"error": error}}


@respx.mock
async def test_a_batch_of_an_id_that_comes_again_warns_its_own_phones_only(tables: Tables) -> None:
    attempts = send_alert.retry.attempts
    answers = [failure("MessageRateExceeded")] * attempts + [OK]
    push = respx.post(PUSH).mock(
        side_effect=lambda _request: httpx.Response(200, json={"data": [answers.pop(0)]})
    )
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        batches = [AlertBatch(alert=STORM, tokens=(phone,)) for phone in "ab"]
        died = await run_job(store, send_alert, batches[0], clock=clock, job_id="batch-1")
        await store.delete(send_alert.queue, [died.id.partition(".")[0]])
        view = await run_job(store, send_alert, batches[1], clock=clock, job_id="batch-1")

    assert (died.state, view.state) == ("dead", "completed")
    messages = [json.loads(call.request.content) for call in push.calls]
    assert [[one["to"] for one in sent] for sent in messages] == [["a"]] * attempts + [["b"]]


@respx.mock
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("others", [(0,), (99,), (41, 42), (0, 33, 66, 99)])
async def test_a_phone_of_another_project_costs_no_other_its_warning(
    others: tuple[int, ...], named: bool, tables: Tables
) -> None:
    service = Service({PHONES[number]: "@us/dev" for number in others}, set(), named)
    respx.post(PUSH).mock(side_effect=service)
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        batch = AlertBatch(alert=STORM, tokens=tuple(PHONES))
        view = await run_job(store, send_alert, batch, clock=clock)

    assert view.state == "completed"
    assert service.sent == Counter(PHONES)
    assert service.requests == 3 if named else service.requests < 60


@respx.mock
@pytest.mark.parametrize("bad", [(0,), (99,), (41, 42)])
async def test_a_token_that_expo_refuses_costs_no_other_its_warning(
    bad: tuple[int, ...], tables: Tables
) -> None:
    service = Service({}, {PHONES[number] for number in bad})
    respx.post(PUSH).mock(side_effect=service)
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        batch = AlertBatch(alert=STORM, tokens=tuple(PHONES))
        view = await run_job(store, send_alert, batch, clock=clock)

    assert service.sent == Counter(set(PHONES) - service.invalid)
    assert view.state == "completed"
    assert view.result["sent"] == 100 - len(bad)
    assert "is not a valid Expo push token" in view.result["failed"][0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    count=st.integers(1, 12),
    projects=st.lists(st.sampled_from("ab"), min_size=12, max_size=12),
    invalid=st.sets(st.integers(0, 11)),
    named=st.booleans(),
)
async def test_every_phone_that_can_be_warned_is_warned_once(
    count: int, projects: list[str], invalid: set[int], named: bool, tables: Tables
) -> None:
    phones = PHONES[:count]
    service = Service(
        dict(zip(PHONES, projects, strict=False)), {PHONES[number] for number in invalid}, named
    )
    batch = AlertBatch(
        alert=STORM.model_copy(update={"place": f"p-{service.__hash__()}"}), tokens=tuple(phones)
    )
    clock = FakeClock()
    with respx.mock:
        respx.post(PUSH).mock(side_effect=service)
        async with embedded_store(clock=clock) as store:
            await run_job(store, send_alert, batch, clock=clock)

    assert service.sent == Counter(set(phones) - service.invalid)


@respx.mock
async def test_a_service_that_refuses_everything_is_asked_a_few_times(
    tables: Tables, context: MakeContext
) -> None:
    push = respx.post(PUSH).respond(400, json={"errors": [{"message": "the title is too long"}]})

    with pytest.raises(NotAllSent, match="Expo refuses parts of the batch"):
        await send_alert(AlertBatch(alert=STORM, tokens=tuple(PHONES)), context())
    assert push.call_count == 20


@respx.mock
async def test_a_batch_of_which_nothing_can_be_sent_is_dead_with_the_reason(
    tables: Tables, context: MakeContext
) -> None:
    respx.post(PUSH).respond(400, json={"errors": [{"message": "the title is too long"}]})

    with pytest.raises(Discard, match="Expo answers 400: the title is too long"):
        await send_alert(AlertBatch(alert=STORM, tokens=("a",)), context())


@respx.mock
@pytest.mark.parametrize("error", ["MessageRateExceeded", "ExpoError", "ProviderError"])
async def test_a_message_that_expo_takes_later_is_sent_later(error: str, tables: Tables) -> None:
    answers = [[OK, failure(error), OK], [failure(error)], [OK]]
    push = respx.post(PUSH).mock(
        side_effect=[httpx.Response(200, json={"data": data}) for data in answers]
    )
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        batch = AlertBatch(alert=STORM, tokens=("a", "b", "c"))
        view = await run_job(store, send_alert, batch, clock=clock)

    asked = [[m["to"] for m in json.loads(call.request.content)] for call in push.calls]
    assert asked == [["a", "b", "c"], ["b"], ["b"]]
    assert (view.state, view.attempts) == ("completed", 3)
    assert error in view.history["errors"][0]["message"]


@respx.mock
@pytest.mark.parametrize("error", ["InvalidCredentials", "MismatchSenderId", "DeveloperError"])
async def test_wrong_credentials_are_a_dead_letter_that_sends_the_rest_when_they_are_right(
    error: str, tables: Tables, context: MakeContext
) -> None:
    batch = AlertBatch(alert=STORM, tokens=("a", "b"))
    push = respx.post(PUSH).respond(200, json={"data": [OK, failure(error)]})

    async with embedded_store():
        with pytest.raises(Discard, match=f"Expo: {error}: why"):
            await send_alert(batch, context())
        push.respond(200, json={"data": [OK]})

        assert await send_alert(batch, context()) == {"sent": 1, "gone": 0, "failed": []}


@respx.mock
async def test_what_was_sent_before_a_fault_is_sent_no_second_time(
    tables: Tables, context: MakeContext
) -> None:
    service = Service({PHONES[0]: "@us/dev"}, set())
    answers = iter([None, None, httpx.Response(429), *[None] * 9])
    respx.post(PUSH).mock(side_effect=lambda request: next(answers) or service(request))
    batch = AlertBatch(alert=STORM, tokens=tuple(PHONES))

    async with embedded_store():
        with pytest.raises(Snooze):
            await send_alert(batch, context())
        await send_alert(batch, context())

    assert service.sent == Counter(PHONES)


@pytest.mark.parametrize("token", ["", " ", "a b", "a\n", "\x00", "é", "x" * 129])
def test_what_is_no_token_is_refused_at_the_door(token: str, tables: Tables) -> None:
    with pytest.raises(ValidationError):
        AlertBatch(alert=STORM, tokens=("a", token))
    with pytest.raises(ValidationError):
        tables.subscribe("berlin", ["a", token])
    assert tables.unwarned("berlin", STORM.name, "", 10) == []
