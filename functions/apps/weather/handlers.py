"""The work of the weather app. It imports its tools when a job first runs."""

from __future__ import annotations

import asyncio
import json
import time

from shared import Isolation, JobContext

from .payloads import AlertBatch, Garment, Place, SentAlerts, Upload, WeatherAlert
from .queues import alerts, colors, moderation, weather
from .settings import data_folder, receipts_after

AHEAD = 3600
"""Seconds by which a measurement may be in the future: clocks differ."""
KEPT = 14 * 86_400
"""Seconds for which it is remembered who was warned: longer than any warning's jobs are retried or
kept."""
MOST_MEMORY = 352 * 2**20
"""Bytes of a process that decodes a photograph: enough for a progressive JPEG of 50 megapixels,
which is decoded whole, and little enough for one of them in a function of 512 MB."""


@weather.job("weather.ingest")
async def ingest_weather(payload: Place, job: JobContext) -> dict[str, object]:
    """Store the weather of a place, and warn of it those who are not warned of its kind that day.
    An old measurement, or one before another that is stored, warns nobody."""
    from functions.providers.http import UnreadableAnswer  # noqa: PLC0415 - cold start
    from functions.providers.openweather import openweather  # noqa: PLC0415

    from .tables import tables_in  # noqa: PLC0415
    from .warnings import is_current, warnings  # noqa: PLC0415

    current = await openweather().current(payload.latitude, payload.longitude)
    # Once stored, a time to come would keep out the right answers until then.
    if current.dt > time.time() + AHEAD:
        raise UnreadableAnswer(f"OpenWeather: dt: {current.dt} s since 1970 is in the future")
    tables = await asyncio.to_thread(tables_in, data_folder())
    text = current.model_dump_json()
    is_last = await asyncio.to_thread(tables.set_weather, payload.name, current.dt, text)
    due = warnings(payload, current) if is_last and is_current(current) else []
    for alert in due:
        if await asyncio.to_thread(tables.unwarned, alert.place, alert.name, "", 1):
            # Of this job and measurement: a fan-out that died hinders none of a later one.
            name = f"{alert.kind} {current.dt}"
            await fan_out_alert.enqueue(alert, job_id=job.child_id(name))
    return {"measured": current.dt, "warnings": [alert.kind for alert in due]}


@alerts.job("alert.fanout")
async def fan_out_alert(payload: WeatherAlert, job: JobContext) -> dict[str, object]:
    """Enqueue the warning for every phone at the place that has not got it, in batches that one
    request sends."""
    from functions.providers.expo import MOST_MESSAGES  # noqa: PLC0415 - cold start

    from .tables import tables_in  # noqa: PLC0415

    tables = await asyncio.to_thread(tables_in, data_folder())
    # By our own clock: a place whose day is wrong must not make others forget.
    await asyncio.to_thread(tables.forget_warned, int(time.time()) - KEPT)
    phones, after = 0, ""
    while tokens := await asyncio.to_thread(
        tables.unwarned, payload.place, payload.name, after, MOST_MESSAGES
    ):
        # A batch's id is its phones: a second run, which may find others, enqueues these too.
        batch = AlertBatch(alert=payload, tokens=tuple(tokens))
        await send_alert.enqueue(batch, job_id=job.child_id(json.dumps(tokens)))
        phones, after = phones + len(tokens), tokens[-1]
    return {"phones": phones}


@alerts.job("alert.send")
async def send_alert(payload: AlertBatch, job: JobContext) -> dict[str, object]:
    """Send the warning to the phones that have not got it. A phone that is gone is forgotten, and
    one that Expo refuses keeps it from no other."""
    from .sending import Sending  # noqa: PLC0415 - cold start
    from .tables import tables_in  # noqa: PLC0415

    delay = receipts_after()
    sending = Sending(payload, await asyncio.to_thread(tables_in, data_folder()), job.unique_id)
    try:
        return await sending.run()
    finally:  # what it sent before a failure is sent too
        if sending.phones:
            sent = SentAlerts(phones=sending.phones)
            name = json.dumps(list(sending.phones))
            await read_receipts.enqueue(sent, job_id=job.child_id(name), delay=delay)


@alerts.job("alert.receipts")
async def read_receipts(payload: SentAlerts) -> dict[str, object]:
    """Find out which of the warned phones are gone, and forget them."""
    from .receipts import settle  # noqa: PLC0415 - cold start
    from .tables import tables_in  # noqa: PLC0415

    return await settle(payload, await asyncio.to_thread(tables_in, data_folder()))


@colors.job("color.extract", isolate=Isolation(memory=MOST_MEMORY))
def extract_colors(payload: Garment) -> dict[str, object]:
    """Find the main colors of a garment's photograph, and keep them. Isolated: a decoder of images
    works in C, on bytes of strangers, and some kilobytes of them may be a picture of gigabytes."""
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
