# ruff: noqa: INP001 - it is on a path of its own, never inside a package
"""The application of the rehearsals: jobs that are quick, that block their whole process, or that
run until the rehearsal releases them.

It is not in the artefact: TIDEGATE_APPS names it and PYTHONPATH has its folder.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from shared import App, JobContext

LONGEST_HOLD = 180.0
"""Seconds after which a held job fails, because its rehearsal has ended or is stuck."""
POLL = 0.05

app = App("rehearsal")
work = app.queue("rehearsal", timeout=3.0)
long = app.queue("rehearsal-long", timeout=LONGEST_HOLD + 30)
_running: set[str] = set()


class Step(BaseModel):
    """One job. `hang`: its first run blocks the process and never returns."""

    name: str
    hang: bool = False


@work.job("step")
async def step(payload: Step, job: JobContext) -> dict[str, Any]:
    """Print the time of the run and the number of simultaneous jobs; block if `hang` is set."""
    began, beside = time.monotonic(), len(_running)
    _running.add(job.id)
    try:
        if payload.hang and _first_time(payload.name):
            print(f"REHEARSAL hangs {payload.name} beside={beside}", flush=True)
            time.sleep(3600)  # noqa: ASYNC251 - blocks the loop on purpose: only a kill ends it
        await asyncio.sleep(0)  # the others of its batch enter
    finally:
        _running.discard(job.id)
    facts = f"attempt={job.attempt} redelivered={job.redelivered} beside={beside}"
    print(f"REHEARSAL ran at={began:.3f} {payload.name} {facts}", flush=True)
    return {"name": payload.name}


@long.job("held-step")
async def held_step(payload: Step) -> None:
    """Create the job's checkpoint, then await the release."""
    end = _hold(payload.name)
    while not _is_released(payload.name, end):  # noqa: ASYNC110 - another process releases it
        await asyncio.sleep(POLL)


@long.job("held-thread")
def held_thread(payload: Step) -> None:
    """The same in a plain function, which blocks its thread."""
    end = _hold(payload.name)
    while not _is_released(payload.name, end):
        time.sleep(POLL)


def _hold(name: str) -> float:
    _checkpoint(f"runs-{name}").touch()
    return time.monotonic() + LONGEST_HOLD


def _is_released(name: str, end: float) -> bool:
    if _checkpoint("released").exists():
        return True
    if time.monotonic() > end:
        raise TimeoutError(f"the job {name!r} was not released within {LONGEST_HOLD:g} s")
    return False


def _first_time(name: str) -> bool:
    try:
        _checkpoint(f"hung-{name}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _checkpoint(name: str) -> Path:
    return Path(os.environ["REHEARSAL_CHECKPOINTS"]) / name
