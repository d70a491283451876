"""Advice comes from the cache for a minute, and from the database when that fails."""

from __future__ import annotations

import datetime as dt
import json
import time

import pytest

from functions.apps.weather import Place
from functions.apps.weather.personal import advice_for, preferences_changed
from functions.apps.weather.tables import Tables
from shared.testing import embedded_store

BERLIN = Place(name="berlin", latitude=52.52, longitude=13.41)
NOW = int(time.time())


def measured(at: int, temp: float) -> str:
    main = {"temp": temp, "feels_like": temp, "humidity": 50}
    return json.dumps({"dt": at, "main": main, "weather": [{"id": 800}]})


async def test_advice_is_kept_for_a_minute(tables: Tables) -> None:
    tables.set_weather("berlin", NOW, measured(NOW, 5.0))

    async with embedded_store() as store:
        first = await advice_for("ada", BERLIN)
        tables.set_weather("berlin", NOW + 1, measured(NOW + 1, 30.0))
        second = await advice_for("ada", BERLIN)
        (entry,) = await store.rest.execute(["KEYS", "*advice:entry:ada*"], "test")
        left = int(await store.rest.execute(["PTTL", entry], "test"))
        await store.rest.execute(["DEL", entry], "test")
        third = await advice_for("ada", BERLIN)

    assert [first.wear, second.wear, third.wear] == ["a coat", "a coat", "light clothes"]
    assert 50_000 < left <= 60_000


async def test_a_change_of_preferences_ends_it_at_once(tables: Tables) -> None:
    tables.set_weather("berlin", NOW, measured(NOW, 10.0))

    async with embedded_store():
        before = await advice_for("ada", BERLIN)
        other = await advice_for("bo", BERLIN)
        await preferences_changed("ada")
        after = await advice_for("ada", BERLIN, coldest=5.0)
        still = await advice_for("bo", BERLIN, coldest=5.0)

    assert (before.wear, after.wear) == ("a coat", "a jacket")
    assert other == still


async def test_a_place_without_weather_has_an_answer(tables: Tables) -> None:
    async with embedded_store():
        assert (await advice_for("ada", BERLIN)).temperature is None


@pytest.mark.parametrize("user", ["ada", "idp.example/users/7", "/", "a/", "/a", "ü:{x}"])
async def test_any_user_s_change_of_preferences_ends_the_advice(user: str, tables: Tables) -> None:
    tables.set_weather("berlin", NOW, measured(NOW, 10.0))

    async with embedded_store():
        other = f"{user}/other"
        before = [await advice_for(one, BERLIN) for one in (user, other)]
        await preferences_changed(user)
        after = [await advice_for(one, BERLIN, coldest=5.0) for one in (user, other)]

    assert [advice.wear for advice in before] == ["a coat", "a coat"]
    assert [advice.wear for advice in after] == ["a jacket", "a coat"]


@pytest.mark.parametrize(("age", "known"), [(0, True), (4 * 3600, False), (30 * 86_400, False)])
async def test_weather_of_long_ago_is_not_that_of_now(
    age: int, known: bool, tables: Tables
) -> None:
    at = NOW - age
    storm = json.loads(measured(at, -5.0)) | {"weather": [{"id": 211}]}
    tables.set_weather("berlin", at, json.dumps(storm))

    async with embedded_store():
        advice = await advice_for("ada", BERLIN)

    assert advice.measured == dt.datetime.fromtimestamp(at, dt.UTC)
    assert advice.temperature == (-5.0 if known else None)
    assert advice.warnings == (["storm", "frost"] if known else [])
    assert advice.wear == ("a coat" if known else "no current weather is known")
