"""Verdicts of a store's verb on jobs of several queues, by public id, and the reasons for a no."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from ..declare.handle import name_taken
from ..declare.queue import Queue
from ..errors import JobNotFound, NameTaken
from ..jobs.ids import public_id
from ..store import Store

Verb = Callable[[Queue, list[str]], Awaitable[list[bool]]]
"""A verb on jobs of one queue: one verdict each, in order."""


async def verdicts_by_id(jobs: Iterable[tuple[Queue, str]], verb: Verb) -> dict[str, bool]:
    """Run a verb on jobs, each once, queue by queue. A job is its queue and its id within it."""
    by_queue: dict[str, tuple[Queue, dict[str, None]]] = {}
    for queue, local_id in jobs:
        by_queue.setdefault(queue.name, (queue, {}))[1][local_id] = None
    verdicts: dict[str, bool] = {}
    for name, (queue, unique) in by_queue.items():
        local_ids = list(unique)
        answers = await verb(queue, local_ids)
        verdicts |= {public_id(i, name): done for i, done in zip(local_ids, answers, strict=True)}
    return verdicts


async def reason_left(store: Store, queue: Queue, local_id: str) -> JobNotFound | NameTaken:
    """Why a redrive or a delete of dead letters left this job as it is. Raises StoreError."""
    try:
        view = await store.inspect(queue, local_id)
    except JobNotFound as error:
        return error
    if view.state != "dead":
        return JobNotFound(f"job {view.id} is {view.state}, not dead")
    return name_taken(view)
