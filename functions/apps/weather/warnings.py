"""Which weather deserves a warning."""

from __future__ import annotations

import datetime as dt
import time

from functions.providers.openweather import Weather

from .payloads import Kind, Place, WeatherAlert

HOT, COLD, WINDY = 35.0, 0.0, 17.0
"""°C, °C, m/s (a gale)."""
LONGEST_CURRENT = 3 * 3600
"""Seconds after which a measurement says nothing about now. Stations measure each hour, or every
three."""
_TEXTS: dict[Kind, str] = {
    "storm": "A thunderstorm at {place}: stay dry, and leave the umbrella at home.",
    "heat": "{temp} °C at {place}: choose light, loose clothes and a hat.",
    "frost": "{temp} °C at {place}: take a warm coat and gloves.",
    "rain": "Heavy rain at {place}: take a raincoat and closed shoes.",
    "snow": "Snow at {place}: take boots with a good grip.",
    "wind": "A gale at {place}: no hats, no wide skirts.",
}


def warnings(place: Place, weather: Weather) -> list[WeatherAlert]:
    """The warnings of this weather, gravest first; at most one of a kind."""
    day = dt.datetime.fromtimestamp(weather.dt + weather.timezone, dt.UTC).date()  # the place's own
    values = {"place": place.name, "temp": round(weather.main.temp)}
    return [
        WeatherAlert(place=place.name, kind=kind, day=day, text=_TEXTS[kind].format_map(values))
        for kind in _TEXTS
        if _shows(kind, weather)
    ]


def is_current(weather: Weather) -> bool:
    """True if the weather is that of now."""
    return weather.dt > time.time() - LONGEST_CURRENT


def _shows(kind: Kind, weather: Weather) -> bool:
    conditions = [condition.id for condition in weather.weather]
    match kind:
        case "storm":
            return any(200 <= number < 300 for number in conditions)
        case "heat":
            return weather.main.temp >= HOT
        case "frost":
            return weather.main.temp <= COLD
        case "rain":  # heavy, very heavy, extreme, heavy showers
            return any(number in (502, 503, 504, 522) for number in conditions)
        case "snow":
            return any(600 <= number < 700 for number in conditions)
        case "wind":
            return weather.wind.speed >= WINDY
