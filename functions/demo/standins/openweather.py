"""A stand-in of OpenWeather's current weather: that of real days of a record, measured now."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .faults import Faults

RECORD = Path(__file__).parents[1] / "data" / "seattle-weather.csv"
LATITUDE, LONGITUDE = 47.6, -122.3
APART = 0.01
"""Degrees of latitude between two places, each of which has the weather of one day."""
HEAVY_RAIN = 25.0
"""Millimetres of a day."""
_CONDITIONS = {"drizzle": 300, "rain": 500, "snow": 601, "fog": 741, "sun": 800}
_HEAVY = 502


def days() -> list[Mapping[str, str]]:
    """The days of the record, oldest first."""
    with RECORD.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def condition(day: Mapping[str, str]) -> int:
    """The number that OpenWeather has for such weather."""
    heavy = day["weather"] == "rain" and float(day["precipitation"]) >= HEAVY_RAIN
    return _HEAVY if heavy else _CONDITIONS[day["weather"]]


@dataclass(slots=True)
class OpenWeather:
    """The weather of places in a row from south to north."""

    faults: Faults
    places: Sequence[Mapping[str, str]] = field(default_factory=list)

    def routes(self) -> list[Route]:
        return [Route("/data/2.5/weather", self._weather)]

    async def _weather(self, request: Request) -> Response:
        asked = request.query_params
        if not asked.get("appid"):
            return JSONResponse({"cod": 401, "message": "Invalid API key."}, 401)
        number = round((float(asked["lat"]) - LATITUDE) / APART)
        if not 0 <= number < len(self.places):
            return JSONResponse({"cod": "404", "message": "city not found"}, 404)
        body = _answer(self.places[number])
        return await self.faults.answer(asked["lat"], lambda: JSONResponse(body))


def _answer(day: Mapping[str, str]) -> dict[str, Any]:
    temp = float(day["temp_max"])
    return {
        "coord": {"lon": LONGITUDE, "lat": LATITUDE},
        "weather": [{"id": condition(day), "main": day["weather"], "description": day["weather"]}],
        "main": {"temp": temp, "feels_like": temp, "humidity": 70},
        "wind": {"speed": float(day["wind"])},
        "dt": int(time.time()),
        "timezone": -8 * 3600,
        "name": "Seattle",
        "cod": 200,
    }
