"""Weather is stored, and everybody at a place is warned once."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from functions.apps.weather import (
    AlertBatch,
    Place,
    WeatherAlert,
    fan_out_alert,
    handlers,
    ingest_weather,
    send_alert,
)
from functions.apps.weather.tables import Tables
from functions.apps.weather.warnings import warnings
from functions.providers import expo, openweather
from functions.providers.http import UnreadableAnswer
from shared import ConfigurationError, Discard, Snooze
from shared.declare.app import Registry
from shared.declare.options import DedupOption
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.store import Store
from shared.testing import FakeClock, embedded_store, run_job

from ..conftest import MakeContext

CURRENT = f"{openweather.API}/data/2.5/weather"
PUSH = f"{expo.API}/--/api/v2/push/send"
BERLIN = Place(name="berlin", latitude=52.52, longitude=13.41)
NOW = int(time.time())


def answer(*, temp: float = 20.0, condition: int = 800, wind: float = 3.0) -> dict[str, Any]:
    """An answer as OpenWeather's documentation shows it."""
    return {
        "coord": {"lon": 13.41, "lat": 52.52},
        "weather": [{"id": condition, "main": "x", "description": "as it is", "icon": "01d"}],
        "base": "stations",
        "main": {
            "temp": temp,
            "feels_like": temp - 1,
            "temp_min": temp,
            "temp_max": temp,
            "pressure": 1015,
            "humidity": 64,
        },
        "visibility": 10000,
        "wind": {"speed": wind, "deg": 349},
        "clouds": {"all": 100},
        "dt": NOW,
        "sys": {"country": "DE", "sunrise": 1_772_430_000, "sunset": 1_772_470_000},
        "timezone": 3600,
        "id": 2950159,
        "name": "Berlin",
        "cod": 200,
    }


def phones(requests: Any) -> list[str]:
    return [message["to"] for call in requests for message in json.loads(call.request.content)]


def accept(request: httpx.Request) -> httpx.Response:
    count = len(json.loads(request.content))
    tickets = [{"status": "ok", "id": f"t{number}"} for number in range(count)]
    return httpx.Response(200, json={"data": tickets})


async def drain_alerts(store: Store, clock: FakeClock) -> None:
    await Drain(store, Registry([]), Budget.of(60, clock=clock)).run([fan_out_alert.queue])


@respx.mock
async def test_the_weather_of_a_place_is_stored(tables: Tables, context: MakeContext) -> None:
    route = respx.get(CURRENT).respond(200, json=answer())

    async with embedded_store():
        result = await ingest_weather(BERLIN, context())

    assert result == {"measured": NOW, "warnings": []}
    stored = json.loads(tables.weather("berlin") or "")
    assert (stored["main"]["temp"], stored["main"]["humidity"]) == (20.0, 64.0)
    params = dict(route.calls[0].request.url.params)
    assert params == {"lat": "52.52", "lon": "13.41", "units": "metric", "appid": "test"}


@respx.mock
async def test_an_older_measurement_replaces_no_later_one(
    tables: Tables, context: MakeContext
) -> None:
    respx.get(CURRENT).respond(200, json=answer(temp=20.0))
    async with embedded_store():
        await ingest_weather(BERLIN, context())
        respx.get(CURRENT).respond(200, json={**answer(temp=5.0), "dt": NOW - 1000})
        await ingest_weather(BERLIN, context())

    assert json.loads(tables.weather("berlin") or "")["main"]["temp"] == 20.0


@respx.mock
async def test_everybody_at_the_place_is_warned_once_a_day(tables: Tables) -> None:
    tables.subscribe("berlin", [f"ExponentPushToken[{number:04}]" for number in range(250)])
    tables.subscribe("paris", ["ExponentPushToken[paris]"])
    respx.get(CURRENT).respond(200, json=answer(condition=211))
    push = respx.post(PUSH).mock(side_effect=accept)
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        for _tick in range(3):
            await run_job(store, ingest_weather, BERLIN, clock=clock)
            await drain_alerts(store, clock)

    assert push.call_count == 3  # batches of 100, 100 and 50
    assert sorted(phones(push.calls)) == [f"ExponentPushToken[{n:04}]" for n in range(250)]


YEAR, MONTH = 31_622_400.0, 2_678_400.0


@respx.mock
@pytest.mark.parametrize("dedup", [{"id": "berlin-storm-2026-03-02", "ttl": MONTH}, {"ttl": MONTH}])
async def test_no_caller_can_take_the_place_of_a_warning(
    tables: Tables, dedup: DedupOption
) -> None:
    tables.subscribe("berlin", ["ExponentPushToken[1]"])
    respx.get(CURRENT).respond(200, json=answer(condition=211))
    push = respx.post(PUSH).mock(side_effect=accept)
    clock = FakeClock()
    warning = warnings(BERLIN, openweather.Weather.model_validate(answer(condition=211)))[0]

    async with embedded_store(clock=clock) as store:
        await fan_out_alert.enqueue(warning, dedup=dedup, delay=YEAR)
        await run_job(store, ingest_weather, BERLIN, clock=clock)
        await drain_alerts(store, clock)

    assert phones(push.calls) == ["ExponentPushToken[1]"]


STORM = WeatherAlert.model_validate(
    {"place": "berlin", "kind": "storm", "day": "2026-03-02", "text": "A thunderstorm."}
)


@respx.mock
async def test_a_fan_out_that_runs_twice_doubles_nothing(
    tables: Tables, context: MakeContext
) -> None:
    tables.subscribe("berlin", [f"t{number:04}" for number in range(150)])
    push = respx.post(PUSH).mock(side_effect=accept)
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        job = context("fan", queue="alert-fanout")
        await fan_out_alert(STORM, job)
        tables.subscribe("berlin", ["t0000a"])  # shifts the batches of the second run
        await fan_out_alert(STORM, job)
        await drain_alerts(store, clock)

    sent = phones(push.calls)
    assert len(sent) == len(set(sent))
    assert set(sent) == {"t0000a", *(f"t{n:04}" for n in range(150))}


@respx.mock
@pytest.mark.parametrize("gone", [(), (5,), (99,), (100,), (0, 1), tuple(range(100))])
async def test_a_fan_out_that_failed_after_a_page_forgets_no_phone(
    gone: tuple[int, ...], tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = [f"t{number:04}" for number in range(250)]
    tables.subscribe("berlin", every)
    push = respx.post(PUSH).mock(side_effect=accept)
    unwarned, calls = Tables.unwarned, list[str]()

    def fails_once(self: Tables, place: str, alert: str, after: str, most: int) -> list[str]:
        calls.append(after)
        if len(calls) == 2:  # meanwhile these phones leave
            self.unsubscribe([every[number] for number in gone])
            raise ConnectionError("the database is away for a second")
        return unwarned(self, place, alert, after, most)

    monkeypatch.setattr(Tables, "unwarned", fails_once)
    clock = FakeClock()
    async with embedded_store(clock=clock) as store:
        await fan_out_alert.enqueue(STORM)
        for _tick in range(3):
            await drain_alerts(store, clock)
            clock.advance(60)

    sent = phones(push.calls)
    assert len(sent) == len(set(sent))
    assert set(every) - set(sent) <= {every[number] for number in gone}


@respx.mock
@pytest.mark.parametrize("broken", ["unwarned", "take", "mark_warned"])
async def test_a_storm_that_goes_on_is_warned_of_after_an_outage(
    broken: str, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.subscribe("berlin", ["a", "b"])
    respx.get(CURRENT).respond(200, json=answer(condition=211))
    push = respx.post(PUSH).mock(side_effect=accept)
    whole, outage = getattr(Tables, broken), [True]

    def away(self: Tables, *given: Any) -> Any:
        # The query of the ingestion itself still succeeds.
        if outage and not (broken == "unwarned" and given[-1] == 1):
            raise ConnectionError("the database is away for a minute")
        return whole(self, *given)

    monkeypatch.setattr(Tables, broken, away)
    monkeypatch.setattr("functions.apps.weather.tables.HELD", -1)  # a minute is over
    clock = FakeClock()
    async with embedded_store(clock=clock) as store:

        async def measure() -> int:
            await run_job(store, ingest_weather, BERLIN, clock=clock)
            for _tick in range(6):
                await drain_alerts(store, clock)
                clock.advance(30)
            return (await store.stats(fan_out_alert.queue)).sizes["dead"]

        dead = await measure()
        before = len(phones(push.calls))
        outage.clear()
        assert dead == 1
        assert [await measure() for _measurement in range(3)] == [1, 1, 1]

    warned = phones(push.calls)[before:]
    assert sorted(warned) == ["a", "b"]
    assert before == 0 or broken == "mark_warned"  # rather twice than never


@respx.mock
async def test_a_phone_that_comes_during_a_storm_is_warned_too(tables: Tables) -> None:
    tables.subscribe("berlin", ["a"])
    respx.get(CURRENT).respond(200, json=answer(condition=211))
    push = respx.post(PUSH).mock(side_effect=accept)
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        for token in ("b", "c"):
            await run_job(store, ingest_weather, BERLIN, clock=clock)
            await drain_alerts(store, clock)
            tables.subscribe("berlin", [token])

    assert phones(push.calls) == ["a", "b"]


@respx.mock
@pytest.mark.parametrize(
    ("age", "warned"),
    [(0, True), (2 * 3600, True), (4 * 3600, False), (3 * 86_400, False), (400 * 86_400, False)],
)
async def test_weather_of_long_ago_warns_nobody(age: int, warned: bool, tables: Tables) -> None:
    tables.subscribe("berlin", ["a"])
    respx.get(CURRENT).respond(200, json={**answer(condition=211, temp=-5.0), "dt": NOW - age})
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, ingest_weather, BERLIN, clock=clock)

    assert view.result == {"measured": NOW - age, "warnings": ["storm", "frost"] if warned else []}
    assert json.loads(tables.weather("berlin") or "")["dt"] == NOW - age


@respx.mock
async def test_weather_before_that_which_is_known_warns_nobody(
    tables: Tables, context: MakeContext
) -> None:
    tables.subscribe("berlin", ["a"])
    respx.get(CURRENT).respond(200, json=answer())
    async with embedded_store():
        await ingest_weather(BERLIN, context())
        respx.get(CURRENT).respond(200, json={**answer(condition=211), "dt": NOW - 600})
        result = await ingest_weather(BERLIN, context())

    assert result["warnings"] == []


@respx.mock
async def test_a_batch_whose_request_failed_is_sent_again(
    tables: Tables, context: MakeContext
) -> None:
    batch = AlertBatch(alert=STORM, tokens=("a", "b"))
    respx.post(PUSH).respond(503, headers={"retry-after": "7"})

    with pytest.raises(httpx.HTTPStatusError):
        await send_alert(batch, context())
    respx.post(PUSH).mock(side_effect=accept)

    async with embedded_store():
        assert await send_alert(batch, context()) == {"sent": 2, "gone": 0, "failed": []}
        assert await send_alert(batch, context()) == {"sent": 0, "gone": 0, "failed": []}


@respx.mock
async def test_who_was_warned_is_forgotten_after_two_weeks(
    tables: Tables, context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    respx.post(PUSH).mock(side_effect=accept)
    batch = AlertBatch(alert=STORM, tokens=("a",))
    assert handlers.KEPT == 14 * 86_400

    async with embedded_store():
        await send_alert(batch, context("first"))
        # Two weeks that are not over, and two that are: as for a minute, and for minus one.
        for kept, sent in ((60, 0), (-60, 1)):
            monkeypatch.setattr(handlers, "KEPT", kept)
            await fan_out_alert(STORM, context("fan"))
            assert (await send_alert(batch, context(f"after {kept}")))["sent"] == sent


@respx.mock
async def test_a_phone_that_is_gone_is_forgotten(tables: Tables, context: MakeContext) -> None:
    tables.subscribe("berlin", ["a", "b", "c"])
    gone = {"status": "error", "message": "x", "details": {"error": "DeviceNotRegistered"}}
    big = {"status": "error", "message": "too big", "details": {"error": "MessageTooBig"}}
    respx.post(PUSH).respond(200, json={"data": [{"status": "ok", "id": "1"}, gone, big]})

    async with embedded_store():
        result = await send_alert(AlertBatch(alert=STORM, tokens=("a", "b", "c")), context())

    assert result == {"sent": 1, "gone": 1, "failed": ["MessageTooBig: too big"]}
    assert tables.unwarned("berlin", "another", "", 10) == ["a", "c"]
    assert tables.unwarned("berlin", STORM.name, "", 10) == []


@respx.mock
@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(401, json={"cod": 401, "message": "Invalid API key"}), Discard),
        (httpx.Response(429, json={"cod": 429, "message": "Too many"}), Snooze),
        (httpx.Response(502, text="<html>"), httpx.HTTPStatusError),
        (httpx.Response(200, text="<html>"), UnreadableAnswer),
        (httpx.Response(200, json={"cod": "404"}), UnreadableAnswer),
        (httpx.Response(200, json={**answer(), "weather": []}), UnreadableAnswer),
    ],
)
async def test_faults_of_the_weather_service(
    response: httpx.Response, error: type[Exception], tables: Tables, context: MakeContext
) -> None:
    respx.get(CURRENT).mock(return_value=response)

    with pytest.raises(error):
        await ingest_weather(BERLIN, context())
    assert tables.weather("berlin") is None


def garbled(**fields: str) -> str:
    """An answer in which fields have these texts as values, JSON or not."""
    text = json.dumps(answer())
    for name, value in fields.items():
        text, count = re.subn(rf'("{name}": )[^,}}]+', rf"\g<1>{value}", text, count=1)
        assert count == 1
    return text


AHEAD = NOW + handlers.AHEAD


@respx.mock
@pytest.mark.parametrize("name", ["temp", "feels_like", "humidity", "speed"])
@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "null", '"?"']
)
async def test_weather_that_is_no_number_is_not_kept(
    name: str, value: str, tables: Tables, context: MakeContext
) -> None:
    respx.get(CURRENT).respond(200, text=garbled(**{name: value}))

    with pytest.raises(UnreadableAnswer, match=name):
        await ingest_weather(BERLIN, context())
    assert tables.weather("berlin") is None


@respx.mock
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dt", "1772442000000"),  # milliseconds
        ("dt", "9" * 30),
        ("dt", "4102444800"),  # 2100-01-01
        pytest.param("dt", str(AHEAD + 3_600), id="dt-ahead"),
        ("dt", "0"),
        ("dt", "NaN"),
        ("dt", "1e999"),
        ("timezone", "1e999"),
        ("temp", "288.15"),  # kelvin
        ("temp", "1e300"),
    ],
)
async def test_garbage_keeps_out_no_later_right_answer(
    name: str, value: str, tables: Tables, context: MakeContext
) -> None:
    route = respx.get(CURRENT).respond(200, text=garbled(**{name: value}))
    with pytest.raises(UnreadableAnswer, match=name):
        await ingest_weather(BERLIN, context())
    assert tables.weather("berlin") is None

    route.respond(200, json=answer())
    async with embedded_store():
        assert (await ingest_weather(BERLIN, context()))["measured"] == NOW


@respx.mock
async def test_a_clock_that_is_a_little_ahead_is_believed(
    tables: Tables, context: MakeContext
) -> None:
    soon = AHEAD - 60
    respx.get(CURRENT).respond(200, json={**answer(), "dt": soon})

    async with embedded_store():
        assert (await ingest_weather(BERLIN, context()))["measured"] == soon


@respx.mock
async def test_tickets_of_other_messages_are_refused(tables: Tables, context: MakeContext) -> None:
    respx.post(PUSH).respond(200, json={"data": [{"status": "ok", "id": "1"}]})

    with pytest.raises(UnreadableAnswer, match="2 messages have 1 tickets"):
        await send_alert(AlertBatch(alert=STORM, tokens=("a", "b")), context())


async def test_no_account_is_one_clear_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: MakeContext
) -> None:
    monkeypatch.delenv("OPENWEATHER_API_KEY", raising=False)

    with pytest.raises(ConfigurationError, match="OPENWEATHER_API_KEY is not set"):
        await ingest_weather(BERLIN, context())


def test_a_warning_has_the_place_s_own_day_and_no_negative_zero() -> None:
    late = {**answer(temp=-0.3), "dt": 1_784_764_200, "timezone": -25_200}  # 23:50 UTC
    later = {**late, "dt": 1_784_765_400}

    first, second = (
        warnings(BERLIN, openweather.Weather.model_validate(one))[0] for one in (late, later)
    )

    assert first.day == second.day
    assert first.text.startswith("0 °C")


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ({}, []),
        ({"condition": 200}, ["storm"]),
        ({"condition": 299, "temp": 35.0}, ["storm", "heat"]),
        ({"temp": 34.9}, []),
        ({"temp": 0.0, "condition": 600}, ["frost", "snow"]),
        ({"condition": 501}, []),
        ({"condition": 502, "wind": 17.0}, ["rain", "wind"]),
        ({"condition": 522}, ["rain"]),
        ({"condition": 700}, []),
    ],
)
def test_which_weather_deserves_a_warning(values: dict[str, Any], kinds: list[str]) -> None:
    found = warnings(BERLIN, openweather.Weather.model_validate(answer(**values)))

    assert [alert.kind for alert in found] == kinds
    today = dt.datetime.fromtimestamp(NOW + 3600, dt.UTC).date()
    assert {alert.day for alert in found} <= {today}


@respx.mock
async def test_a_warning_of_another_year_makes_nobody_forget_who_was_warned(
    tables: Tables,
) -> None:
    tables.subscribe("berlin", ["ExponentPushToken[1]"])
    push = respx.post(PUSH).mock(side_effect=accept)
    days = [dt.date.min, dt.date(1, 1, 5), dt.date(2012, 1, 2), dt.date(2100, 1, 1), dt.date.max]
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        for _run in range(2):
            for day in days:
                alert = WeatherAlert(place="berlin", kind="snow", day=day, text="Snow.")
                await fan_out_alert.enqueue(alert)
            await drain_alerts(store, clock)

    assert push.call_count == len(days)
