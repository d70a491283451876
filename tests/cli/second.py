"""Another application for these tests: a schedule of each second, limits by key, and a handler that
no cancellation reaches."""

from __future__ import annotations

import time
from pathlib import Path

from pydantic import BaseModel

from shared import App, KeyLimit, RateLimit

app = App("second")
seconds = app.queue("seconds")
keyed = app.queue("keyed", per_key=KeyLimit(rate=RateLimit(1, per=600)))
LONGEST = 20.0


class EmptyPayload(BaseModel): ...


class StartedPayload(BaseModel):
    started: str


@seconds.job("second.count")
async def count(payload: EmptyPayload) -> None: ...


@keyed.job("photo.scale")
async def scale(payload: EmptyPayload) -> None: ...


@keyed.job("photo.hold")
def hold(payload: StartedPayload) -> None:
    """Runs in a thread, and ends by itself much later."""
    Path(payload.started).touch()
    time.sleep(LONGEST)


app.schedule("refresh", count, EmptyPayload(), every=1)
