"""An application for these tests: jobs that succeed, fail, sleep, and read missing files."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pydantic import BaseModel, Field

from shared import App, Discard, JobContext, RateLimit, Retry

app = App("sample")
work = app.queue("work", concurrency=4, retry=Retry.fixed(attempts=2, wait=0.0), timeout=20)
slow = app.queue("slow", limit=RateLimit(2, per=600), timeout=20, payload_limit=200)


class Note(BaseModel):
    text: str = Field(min_length=1)
    size: int = 0


class FilePath(BaseModel):
    path: str


class Nap(BaseModel):
    seconds: float
    started: str


@work.job("note.keep")
async def keep(payload: Note, job: JobContext) -> dict[str, str]:
    job.progress(50, "half")
    return {"kept": payload.text}


@slow.job("note.pass")
async def pass_on(payload: Note) -> None:
    """Enqueues on a queue that is drained first, as often as it says."""
    await keep.enqueue(payload)
    if payload.size:
        await pass_on.enqueue(Note(text=payload.text, size=payload.size - 1))


@work.job("note.log")
async def log(payload: Note, job: JobContext) -> None:
    job.logger.info(payload.text)


@work.job("note.lose")
async def lose(payload: Note) -> None:
    _find(payload.text)


def _find(text: str) -> None:
    desk: dict[str, int] = {}
    try:
        desk[text]
    except KeyError as error:
        lost = LookupError(f"lost {text}")
        lost.add_note("look on the desk")
        raise lost from error


@work.job("file.read")
def read(payload: FilePath) -> dict[str, int]:
    """Discards its job while the file is missing."""
    path = Path(payload.path)
    if not path.exists():
        raise Discard(f"there is no {path.name}")
    return {"bytes": len(path.read_bytes())}


@work.job("file.await")
def wait_for(payload: FilePath) -> None:
    """Fails and is retried while the file is missing."""
    Path(payload.path).read_bytes()


@work.job("nap")
async def nap(payload: Nap) -> None:
    await asyncio.to_thread(Path(payload.started).touch)
    await asyncio.sleep(payload.seconds)


@slow.job("note.keep")
async def keep_slowly(payload: Note) -> dict[str, str]:
    return {"kept": payload.text}


app.schedule("often", keep, Note(text="hourly"), every=3600)
