"""The tables of the weather app: weather by place, who is warned there, what was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from functions.providers.database import Database, database

from .payloads import Token

HELD = 60
"""Seconds for which a phone that a job has taken is its own, and not warned by another: longer than
one run, which takes the phone anew. A job that died lets go of its phones so."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS weather_places (
    place TEXT PRIMARY KEY, measured INTEGER NOT NULL, weather TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS weather_subscribers (
    place TEXT NOT NULL, token TEXT NOT NULL, PRIMARY KEY (place, token)
);
CREATE TABLE IF NOT EXISTS weather_warned (
    alert TEXT NOT NULL, token TEXT NOT NULL, job TEXT NOT NULL, done INTEGER NOT NULL,
    taken INTEGER NOT NULL, PRIMARY KEY (alert, token)
);
CREATE TABLE IF NOT EXISTS weather_palettes (
    garment TEXT PRIMARY KEY, palette TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS weather_reviews (
    upload TEXT PRIMARY KEY, verdict TEXT NOT NULL
);
"""
_SET_WEATHER = """
INSERT INTO weather_places AS mine VALUES (?, ?, ?)
ON CONFLICT (place) DO UPDATE SET measured = excluded.measured, weather = excluded.weather
WHERE excluded.measured >= mine.measured
"""
_SUBSCRIBE = "INSERT INTO weather_subscribers VALUES (?, ?) ON CONFLICT DO NOTHING"
_UNWARNED = """
SELECT token FROM weather_subscribers AS phone WHERE place = ? AND token > ? AND NOT EXISTS (
    SELECT 1 FROM weather_warned WHERE alert = ? AND token = phone.token AND done = 1
) ORDER BY token LIMIT ?
"""
_TAKE = """
INSERT INTO weather_warned AS mine VALUES (?, ?, ?, 0, ?) ON CONFLICT (alert, token) DO UPDATE
SET job = excluded.job, taken = excluded.taken
WHERE mine.done = 0 AND (mine.job = excluded.job OR mine.taken < ?)
"""
_TAKEN = "SELECT token FROM weather_warned WHERE alert = ? AND job = ? AND done = 0 ORDER BY token"
_DONE = "UPDATE weather_warned SET done = 1 WHERE alert = ? AND token = ?"
_SET_PALETTE = """
INSERT INTO weather_palettes VALUES (?, ?) ON CONFLICT (garment) DO UPDATE
SET palette = excluded.palette
"""
_SET_VERDICT = """
INSERT INTO weather_reviews VALUES (?, ?) ON CONFLICT (upload) DO UPDATE
SET verdict = excluded.verdict
"""


class Tables:
    """The app's rows. Any number of equal calls leave the same rows."""

    def __init__(self, tables: Database) -> None:
        self._db = tables

    def set_weather(self, place: str, measured: int, weather: str) -> bool:
        """Store a place's weather (JSON); False where a later one is stored, which stays."""
        return self._db.change(_SET_WEATHER, (place, measured, weather)) > 0

    def weather(self, place: str) -> str | None:
        """The last weather of a place, as JSON."""
        return self._one("SELECT weather FROM weather_places WHERE place = ?", place)

    def subscribe(self, place: str, tokens: Iterable[str]) -> None:
        """Warn these phones of the weather at a place. Raises ValidationError for what can be no
        phone's token: it would end the warning of all others at the place."""
        fit = TypeAdapter(list[Token]).validate_python(list(tokens))
        self._db.change_many(_SUBSCRIBE, [(place, token) for token in fit])

    def unsubscribe(self, tokens: Sequence[str]) -> None:
        """Warn these phones of nothing any more."""
        delete = "DELETE FROM weather_subscribers WHERE token = ?"
        self._db.change_many(delete, [(token,) for token in tokens])

    def unwarned(self, place: str, alert: str, after: str, most: int) -> list[str]:
        """Phones at a place that have not got this warning, in order, after one of them ("" for the
        first ones)."""
        return [row[0] for row in self._db.select(_UNWARNED, (place, after, alert, most))]

    def take(self, alert: str, now: int, tokens: Sequence[str], job: str) -> list[str]:
        """Those of the phones that this job has to warn: they are not warned, and no other job
        holds them. `now`: seconds since 1970."""
        rows = [(alert, token, job, now, now - HELD) for token in tokens]
        self._db.change_many(_TAKE, rows)
        return [row[0] for row in self._db.select(_TAKEN, (alert, job))]

    def forget_warned(self, before: int) -> None:
        """Forget who was taken before an instant: no job of theirs runs any more."""
        self._db.change("DELETE FROM weather_warned WHERE taken < ?", (before,))

    def mark_warned(self, alert: str, tokens: Sequence[str]) -> None:
        """Remember that these phones, which are taken, get the warning no more."""
        self._db.change_many(_DONE, [(alert, token) for token in tokens])

    def set_palette(self, garment: str, palette: str) -> None:
        """Store a garment's colors (JSON)."""
        self._db.change(_SET_PALETTE, (garment, palette))

    def palette(self, garment: str) -> str | None:
        """A garment's colors, as JSON."""
        return self._one("SELECT palette FROM weather_palettes WHERE garment = ?", garment)

    def set_verdict(self, upload: str, verdict: str) -> None:
        """Store what the review of an upload found."""
        self._db.change(_SET_VERDICT, (upload, verdict))

    def verdict(self, upload: str) -> str | None:
        """What the review of an upload found."""
        return self._one("SELECT verdict FROM weather_reviews WHERE upload = ?", upload)

    def _one(self, query: str, name: str) -> str | None:
        rows = self._db.select(query, (name,))
        return str(rows[0][0]) if rows else None


def tables_in(folder: Path) -> Tables:
    """The app's tables; in this folder where no database is configured."""
    return Tables(database(folder / "weather.sqlite3", _SCHEMA))
