"""OpenWeather's current weather: https://openweathermap.org/current"""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import BaseModel, Field, FiniteFloat

from shared import ConfigurationError
from shared.jobs.redact import keep_secret

from .http import client, read

API = "https://api.openweathermap.org"


_Celsius = Annotated[FiniteFloat, Field(ge=-150, le=150)]
"""Wider than any weather: what lies outside is kelvin or no temperature."""


class _Condition(BaseModel):
    id: int
    description: str = ""


class _Main(BaseModel):
    temp: _Celsius
    feels_like: _Celsius
    humidity: Annotated[FiniteFloat, Field(ge=0, le=100)]


class _Wind(BaseModel):
    speed: Annotated[FiniteFloat, Field(ge=0)] = 0.0


class Weather(BaseModel):
    """The weather at one place: °C, %, m/s. `dt`: seconds since 1970 at which it was
    measured; `timezone`: seconds by which the place's time is ahead of UTC.
    Condition ids: https://openweathermap.org/weather-conditions"""

    dt: int = Field(gt=0)
    timezone: int = Field(default=0, ge=-86_400, le=86_400)
    main: _Main
    weather: list[_Condition] = Field(min_length=1)
    wind: _Wind = _Wind()


class OpenWeather:
    """The API of one account."""

    def __init__(self, key: str, api: str = API) -> None:
        keep_secret([key])  # it stands in the URL, which the HTTP client logs
        self._key = key
        self._url = f"{api.rstrip('/')}/data/2.5/weather"

    async def current(self, latitude: float, longitude: float) -> Weather:
        """The weather now."""
        params: dict[str, str | float] = {
            "lat": latitude,
            "lon": longitude,
            "units": "metric",
            "appid": self._key,
        }
        async with client() as http:
            response = await http.get(self._url, params=params)
        return read(response, Weather, "OpenWeather")


def openweather() -> OpenWeather:
    """The account that the environment names. Raises ConfigurationError without a key."""
    key = os.environ.get("OPENWEATHER_API_KEY")
    if not key:
        raise ConfigurationError("OPENWEATHER_API_KEY is not set")
    return OpenWeather(key, os.environ.get("OPENWEATHER_URL") or API)
