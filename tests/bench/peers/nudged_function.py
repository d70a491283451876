"""The application of the function whose nudges are measured."""

from __future__ import annotations

import time

from pydantic import BaseModel

from shared import App

QUEUE = "stamps"
OPERATOR = "operator-token-of-benchmarks"
CRON_SECRET = "cron-secret-of-benchmarks"
APP = App("nudged")
queue = APP.queue(QUEUE)


class SendTime(BaseModel):
    at: float


@queue.job("stamp")
async def stamp(payload: SendTime) -> float:
    """Seconds since its enqueue was sent."""
    return time.time() - payload.at
