"""Verbs for any number of jobs, a page a request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from ..declare.queue import Queue
from ..errors import JobNotFound
from .scripts import Calls

PAGE = 500


async def apply_in_pages(
    calls: Calls,
    verb: str,
    queue: Queue,
    args: Sequence[str],
    job_ids: Sequence[str],
    is_done: Callable[[str], Awaitable[bool]],
) -> list[bool]:
    """Apply a verb to jobs: per id whether it changed something. After a lost reply `is_done`
    answers which were done by it; a job that is gone counts as not done. Raises StoreError."""
    verdicts: list[bool] = []
    for at in range(0, len(job_ids), PAGE):
        page = job_ids[at : at + PAGE]
        reply = await calls.send(verb, queue, [*args, *page])
        done = [verdict == "1" for verdict in reply.value[0]]
        if reply.repeated and not all(done):
            before = await asyncio.gather(*(_is_done(is_done, job_id) for job_id in page))
            done = [now or then for now, then in zip(done, before, strict=True)]
        verdicts += done
    return verdicts


async def _is_done(is_done: Callable[[str], Awaitable[bool]], job_id: str) -> bool:
    try:
        return await is_done(job_id)
    except JobNotFound:
        return False
