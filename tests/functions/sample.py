"""The application that the functions under test serve."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

from pydantic import BaseModel

from shared import App, JobContext, Retry

APP = App("sample")
sample = APP.queue("sample", concurrency=10)
other = APP.queue("other", retry=Retry.fixed(attempts=2, wait=60))


class Number(BaseModel):
    n: int


class Gate:
    """Holds a job until the test lets it go on; the test sees when it runs."""

    def __init__(self) -> None:
        self.running = asyncio.Event()
        self.open = asyncio.Event()


gates: list[Gate] = []


@sample.job("double")
async def double(payload: Number, job: JobContext) -> dict[str, Any]:
    job.logger.info("doubled", extra={"n": payload.n})
    return {"twice": payload.n * 2}


@other.job("fail")
async def fail(payload: Number) -> None:
    raise ValueError("there-is-no-such-number")


@sample.job("wait")
async def wait(payload: Number) -> None:
    gates[-1].running.set()
    await gates[-1].open.wait()


@sample.job("sigterm")
async def sigterm(payload: Number) -> None:
    """What the platform does to a function that it has no more use for, and then waits."""
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.Event().wait()
