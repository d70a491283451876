"""An application that fuzzing can drive into every state a job has."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import BaseModel, Field

from shared import App, JobContext, RateLimit, Retry

app = App("fuzz")
work = app.queue("work", concurrency=5, retry=Retry.fixed(attempts=2, wait=0.0), timeout=2)
slow = app.queue("slow", limit=RateLimit(1, per=60), payload_limit=500)


class Numbers(BaseModel):
    n: int = Field(default=0, ge=-1000, le=1000)
    note: str = ""
    more: Any = None


async def double(payload: Numbers, job: JobContext) -> dict[str, int]:
    job.progress(50, payload.note)
    return {"twice": payload.n * 2}


async def echo(payload: Numbers) -> Any:
    return payload.more


async def fail(payload: Numbers) -> None:
    raise ValueError(f"no file number {payload.n}: {payload.note}")


async def hang(payload: Numbers) -> None:
    await asyncio.Event().wait()


for queue in (work, slow):
    queue.job("echo")(echo)
    queue.job("fail")(fail)
    queue.job("hang", timeout=897)(hang)
doubles = [queue.job("double", public_result=True)(double) for queue in (work, slow)]
app.schedule("tick", doubles[0], Numbers(), every=60)
