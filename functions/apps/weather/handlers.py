"""The work of the weather app. It imports its tools when a job first runs."""

from __future__ import annotations

import asyncio
import datetime as dt

from shared import JobContext

from .payloads import AlertBatch, Garment, Place, Upload, WeatherAlert
from .queues import alerts, colors, moderation, weather
from .settings import data_folder

AHEAD = dt.timedelta(hours=1)
"""By which a measurement may be in the future: clocks differ."""
KEPT = dt.timedelta(days=14)
"""For which it is remembered who was warned: longer than any warning's jobs are retried or kept."""


@weather.job("weather.ingest")
async def ingest_weather(payload: Place, job: JobContext) -> dict[str, object]:
    """Store the weather of a place, and warn of it: once a day and kind."""
    from functions.providers.http import UnreadableAnswer  # noqa: PLC0415 - cold start
    from functions.providers.openweather import openweather  # noqa: PLC0415

    from .tables import tables_in  # noqa: PLC0415
    from .warnings import warnings  # noqa: PLC0415

    current = await openweather().current(payload.latitude, payload.longitude)
    # Once stored, a time to come would keep out the right answers until then.
    if current.dt > (dt.datetime.now(dt.UTC) + AHEAD).timestamp():
        raise UnreadableAnswer(f"OpenWeather: dt: {current.dt} s since 1970 is in the future")
    due = warnings(payload, current)
    tables = await asyncio.to_thread(tables_in, data_folder())
    text = current.model_dump_json()
    await asyncio.to_thread(tables.set_weather, payload.name, current.dt, text)
    for alert in due:
        # One id for all measurements of a day, that no caller can take before the first of them.
        name = f"{alert.place} {alert.kind} {alert.day}"
        await fan_out_alert.enqueue(alert, job_id=job.child_id(name, root="weather"))
    return {"measured": current.dt, "warnings": [alert.kind for alert in due]}


@alerts.job("alert.fanout")
async def fan_out_alert(payload: WeatherAlert, job: JobContext) -> dict[str, object]:
    """Enqueue the warning for every phone at the place, in batches that one request sends."""
    from functions.providers.expo import MOST_MESSAGES  # noqa: PLC0415 - cold start

    from .tables import tables_in  # noqa: PLC0415

    tables = await asyncio.to_thread(tables_in, data_folder())
    # By our own clock: a place whose day is wrong must not make others forget.
    today = dt.datetime.now(dt.UTC).date()
    await asyncio.to_thread(tables.forget_sent, today - KEPT)
    phones, after = 0, ""
    while tokens := await asyncio.to_thread(
        tables.subscribers, payload.place, after, MOST_MESSAGES
    ):
        # A batch's id is its first phone: a second run finds the jobs of the first.
        batch = AlertBatch(alert=payload, tokens=tuple(tokens))
        await send_alert.enqueue(batch, job_id=job.child_id(f"after {after}"))
        phones, after = phones + len(tokens), tokens[-1]
    return {"phones": phones}


@alerts.job("alert.send")
async def send_alert(payload: AlertBatch, job: JobContext) -> dict[str, object]:
    """Send the warning to the phones that have not got it. A phone that is gone is forgotten."""
    from .sending import send  # noqa: PLC0415 - cold start
    from .tables import tables_in  # noqa: PLC0415

    tables = await asyncio.to_thread(tables_in, data_folder())
    return await send(payload, tables, job.id)


@colors.job("color.extract", isolate=True)
def extract_colors(payload: Garment) -> dict[str, object]:
    """Find the main colors of a garment's photograph, and keep them. Isolated: a decoder of images
    works in C, on bytes of strangers."""
    from .photographs import extract  # noqa: PLC0415 - cold start
    from .tables import tables_in  # noqa: PLC0415

    return extract(payload, tables_in(data_folder()))


@moderation.job("moderation.review")
async def review_upload(payload: Upload) -> dict[str, object]:
    """Ask which harm an upload shows, and keep the verdict."""
    from functions.providers.openai import language_model  # noqa: PLC0415 - cold start

    from .tables import tables_in  # noqa: PLC0415

    categories = await language_model().moderate(payload.text, payload.image)
    verdict = ",".join(categories) or "ok"
    tables = await asyncio.to_thread(tables_in, data_folder())
    await asyncio.to_thread(tables.set_verdict, payload.upload, verdict)
    return {"allowed": not categories, "categories": categories}
