"""Weather: twenty days of a record as twenty places, warnings to their people, the colors of
photographs, and a review of what users uploaded."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from functions.apps.weather.tables import Tables, tables_in

from ..claims import Claim, Evidence, equal
from ..standins.expo import GONE, LEFT
from ..standins.openai import HARMFUL
from ..standins.openweather import APART, LATITUDE, LONGITUDE, condition, days
from ..world import World

PHOTOGRAPHS = Path(__file__).parents[1] / "data"
PICTURES = ("astronaut", "chelsea", "coffee", "rocket")
PLACES, PHONES = 20, 120
"""Phones at each place. Two are not registered any more: a ticket says so of one, and a receipt of
the other."""
TEXTS = (
    *("a warm coat for the rain", "my new boots", "this color will kill the mood"),
    *("blue on blue", "a hat that may hurt nobody", "green trousers", "summer again"),
)
WARNED, HOT = (502, 601), 35
QUEUES = ("weather-ingestion", "alert-fanout", "color-extraction", "moderation-review")


class Demonstration:
    """The workload of the weather app."""

    data = (
        "20 days of Seattle's weather, 2012 to 2015: NOAA, public domain, from PyPI's "
        "vega_datasets 0.9.0; 4 photographs, CC0 and public domain, from PyPI's scikit-image 0.26.0"
    )
    dead = 1

    def __init__(self, world: World) -> None:
        self._world = world
        record = [day for day in days() if 0 < float(day["temp_max"]) < HOT]  # no other warning
        hard = [day for day in record if condition(day) in WARNED]
        calm = [day for day in record if condition(day) not in WARNED]
        self._days = [*hard[: PLACES // 2], *calm[: PLACES // 2]]
        world.standins.openweather.places = self._days

    async def work(self) -> None:
        world = self._world
        await asyncio.to_thread(self._prepare)
        places = [
            {"name": f"place-{n}", "latitude": LATITUDE + APART * n, "longitude": LONGITUDE}
            for n in range(PLACES)
        ]
        await world.enqueue("weather-ingestion", "weather.ingest", places)
        world.log(f"the weather of {PLACES} places is asked for, one a second, OpenWeather's limit")
        garments = [{"garment": name, "image": f"file:{name}.jpg"} for name in PICTURES]
        damaged = {"garment": "damaged", "image": "file:damaged.jpg"}
        await world.enqueue("color-extraction", "color.extract", [*garments, damaged])
        uploads = [{"upload": f"upload-{n}", "text": text} for n, text in enumerate(TEXTS)]
        await world.enqueue("moderation-review", "moderation.review", uploads)
        world.log(f"{len(garments)} photographs and a damaged one, {len(TEXTS)} texts to review")
        await world.finish(*QUEUES)

    def claims(self, evidence: Evidence) -> Iterator[Claim]:
        tables, expo = self._tables(), self._world.standins.expo
        stored = sum(tables.weather(f"place-{n}") is not None for n in range(PLACES))
        yield equal("the weather of each place is stored", stored, PLACES)
        warned = [n for n, day in enumerate(self._days) if condition(day) in WARNED]
        phones = {(token, text) for token, text in expo.sent}
        expected = len(warned) * (PHONES - 1)
        yield equal("each phone is warned of heavy rain or snow", len(phones), expected)
        twice = expo.sent.total() - len(phones)
        lost = expo.faults.met["lost answer"]
        sentence = "a phone is warned again only where Expo's answer was lost"
        yield Claim(sentence, twice <= lost * 100, f"{twice} again, {lost} answers lost")
        kept = [len(tables.unwarned(f"place-{n}", "", "", PHONES)) for n in warned]
        sentence = "the phones that are gone are forgotten, by a ticket or a receipt"
        yield equal(sentence, kept, [PHONES - 2] * len(warned))
        palettes = {name: json.loads(tables.palette(name) or "[]") for name in PICTURES}
        yield equal("each photograph has its five colors", _colors(palettes), [5] * len(PICTURES))
        dead = evidence.outcomes_of("color-extraction")["dead"]
        yield equal("the damaged photograph is a dead letter", dead, 1)
        verdicts = [tables.verdict(f"upload-{n}") for n in range(len(TEXTS))]
        right = ["violence" if HARMFUL.search(text) else "ok" for text in TEXTS]
        yield equal("each upload has its verdict", verdicts, right)

    def figures(self) -> Mapping[str, str]:
        palette = json.loads(self._tables().palette("astronaut") or "[]")
        colors = ", ".join(f"{color['hex']} {color['share']:.0%}" for color in palette)
        return {"palette": f"astronaut.jpg: {colors}"}

    def _prepare(self) -> None:
        """The app's own photographs, and who is warned at each place."""
        pictures = self._world.folder / "pictures"
        pictures.mkdir()
        for name in PICTURES:
            shutil.copy(PHOTOGRAPHS / f"{name}.jpg", pictures)
        (pictures / "damaged.jpg").write_bytes((pictures / "rocket.jpg").read_bytes()[:300])
        tables = self._tables()
        for number in range(PLACES):
            names = [*range(PHONES - 2), LEFT, GONE]
            tokens = [f"ExponentPushToken[{number}-{name}]" for name in names]
            tables.subscribe(f"place-{number}", tokens)

    def _tables(self) -> Tables:
        return tables_in(self._world.inbound)


def _colors(palettes: Mapping[str, list[object]]) -> list[int]:
    return [len(palette) for palette in palettes.values()]
