"""What a user sees first: what to wear at a place, from the cache or else from the database."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

from pydantic import BaseModel

from functions.providers.openweather import Weather
from shared import Cache

from .payloads import Place
from .settings import data_folder
from .tables import Tables, tables_in
from .warnings import is_current, warnings


class Advice(BaseModel):
    """What to wear now. `measured`: when the last known weather was; `warnings`: kinds of weather
    to beware of. Weather of hours ago advises nothing: `temperature` is None."""

    temperature: float | None
    wear: str
    measured: dt.datetime | None = None
    warnings: list[str] = []


def _user_of(key: str) -> str:
    """The user of a key `user/place`. A user's id may have a slash, a place's name has none."""
    return key.rpartition("/")[0]


# 60 seconds, as the story's ADR-002 says; a user's change of preferences ends it at once.
advice_cache = Cache("advice", Advice, ttl=60, tags=lambda key: [_user_of(key)])


async def advice_for(user: str, place: Place, *, coldest: float = 12.0) -> Advice:
    """The advice for a user at a place. `coldest`: below it (°C) the user wants a coat."""

    async def load() -> Advice:
        return await asyncio.to_thread(_advice, data_folder(), place, coldest)

    return await advice_cache.get_or_load(f"{user}/{place.name}", load)


async def preferences_changed(user: str) -> None:
    """Forget the user's advice. Call it after the change is stored. Raises StoreError."""
    await advice_cache.invalidate(user)


def _advice(folder: Path, place: Place, coldest: float) -> Advice:
    tables: Tables = tables_in(folder)
    stored = tables.weather(place.name)
    if stored is None:
        return Advice(temperature=None, wear="no weather is known yet")
    current = Weather.model_validate_json(stored)
    measured = dt.datetime.fromtimestamp(current.dt, dt.UTC)
    if not is_current(current):
        return Advice(temperature=None, wear="no current weather is known", measured=measured)
    feels = current.main.feels_like
    wear = "a coat" if feels < coldest else "a jacket" if feels < coldest + 8 else "light clothes"
    kinds = [alert.kind for alert in warnings(place, current)]
    return Advice(temperature=current.main.temp, wear=wear, measured=measured, warnings=kinds)
