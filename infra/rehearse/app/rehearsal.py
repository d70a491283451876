# ruff: noqa: INP001 - it is on a path of its own, never inside a package
"""The application that rehearsals serve: jobs that are quick, slow, or hang their whole process.

It stands beside the artefact, not in it: TIDEGATE_APPS names it, PYTHONPATH leads here.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from shared import App, JobContext

app = App("rehearsal")
work = app.queue("rehearsal", timeout=1.0)
long = app.queue("rehearsal-long", timeout=20.0)
_running: set[str] = set()


class Step(BaseModel):
    """One job. `hang`: the first time it runs it blocks the process and never returns."""

    name: str
    seconds: float = 0.0
    hang: bool = False


@work.job("step")
async def step(payload: Step, job: JobContext) -> dict[str, Any]:
    """Say that it runs, and beside how many others; then sleep, or hang."""
    return await _run(payload, job)


@long.job("long-step")
async def long_step(payload: Step, job: JobContext) -> dict[str, Any]:
    """The same, where a job may take longer."""
    return await _run(payload, job)


@long.job("blocking-step")
def blocking_step(payload: Step) -> None:
    """A plain function that blocks its thread."""
    time.sleep(payload.seconds)
    print(f"REHEARSAL ran {payload.name}", flush=True)


async def _run(payload: Step, job: JobContext) -> dict[str, Any]:
    beside = len(_running)
    _running.add(job.id)
    try:
        if payload.hang and _first_time(payload.name):
            print(f"REHEARSAL hangs {payload.name} beside={beside}", flush=True)
            time.sleep(3600)  # noqa: ASYNC251 - blocks the loop on purpose: only a kill ends it
        await asyncio.sleep(payload.seconds)
    finally:
        _running.discard(job.id)
    said = f"attempt={job.attempt} redelivered={job.redelivered} beside={beside}"
    print(f"REHEARSAL ran {payload.name} {said}", flush=True)
    return {"name": payload.name}


def _first_time(name: str) -> bool:
    mark = Path(os.environ["REHEARSAL_MARKS"]) / name
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
