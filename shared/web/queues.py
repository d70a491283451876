"""Queues as operators see them: counts, limits, durations, health; and their switches."""

from __future__ import annotations

import asyncio
from collections import Counter

from pydantic import Field
from starlette.responses import Response

from ..observe.describe import STATES, describe_queue
from .call import Call
from .responses import Paused, Purged, ResponseModel, json_response

LATE = 300.0
"""Seconds the oldest waiting job may be old before its queue counts as behind."""


class TypeResponse(ResponseModel):
    """A job type: its numbers and how long its jobs were seen to take, in seconds."""

    timeout: float
    attempts: int
    observed: int
    average: float | None
    p95: float | None = Field(description="null before enough were observed")


class LimitResponse(ResponseModel):
    """The queue's token bucket. `tokens` as the last turn left them."""

    rate: int
    per: float
    burst: int
    tokens: float | None


class QueueResponse(ResponseModel):
    """One queue. `counts` are jobs by state now; `totals` are outcomes ever counted."""

    name: str
    app: str
    priority: str
    paused: bool
    counts: dict[str, int]
    waiting_by_priority: dict[str, int]
    suspects: int
    inbox: int
    totals: dict[str, int]
    concurrency: int | None
    limit: LimitResponse | None
    oldest_waiting: str | None
    oldest_age: float | None = Field(description="Seconds since it was enqueued, by its id.")
    types: dict[str, TypeResponse]


class Queues(ResponseModel):
    """Every queue, most urgent first."""

    queues: list[QueueResponse]


class Stats(ResponseModel):
    """All queues together, and each by name."""

    counts: dict[str, int]
    totals: dict[str, int]
    queues: dict[str, QueueResponse]


class QueueHealth(ResponseModel):
    """`ok`, `behind` (the oldest waiting job is old) or `paused`."""

    status: str
    waiting: int
    dead: int
    oldest_age: float | None


class Health(ResponseModel):
    """The store answers, and this is how the queues are; `status` is the worst of them."""

    status: str
    queues: dict[str, QueueHealth]


async def index(call: Call) -> Response:
    """All queues with their numbers."""
    return json_response(Queues(queues=await _all(call)))


async def show(call: Call) -> Response:
    """One queue with its numbers."""
    return json_response(
        QueueResponse(**describe_queue(await call.deployment.store.stats(call.queue())))
    )


async def stats(call: Call) -> Response:
    """Counts over all queues, and each queue's own."""
    queues = await _all(call)
    counts: Counter[str] = Counter(dict.fromkeys(STATES, 0))
    totals: Counter[str] = Counter()
    for queue in queues:
        counts.update(queue.counts)
        totals.update(queue.totals)
    by_name = {queue.name: queue for queue in queues}
    return json_response(Stats(counts=dict(counts), totals=dict(totals), queues=by_name))


async def health(call: Call) -> Response:
    """Per-queue health. A store that can't be reached is a 503, as everywhere."""
    by_name = {queue.name: _health(queue) for queue in await _all(call)}
    worst = next(
        (s for s in ("behind", "paused") if any(q.status == s for q in by_name.values())), "ok"
    )
    return json_response(Health(status=worst, queues=by_name))


async def pause(call: Call) -> Response:
    """Nothing more is claimed; what runs goes on."""
    return await _switch(call, paused=True)


async def resume(call: Call) -> Response:
    """Claiming goes on with the next drain."""
    return await _switch(call, paused=False)


async def purge(call: Call) -> Response:
    """Delete every waiting and delayed job of the queue. Active and ended ones stay."""
    queue = call.queue()
    return json_response(Purged(queue=queue.name, purged=await call.deployment.store.purge(queue)))


async def _switch(call: Call, *, paused: bool) -> Response:
    queue = call.queue()
    before = await call.deployment.store.pause(queue, paused=paused)
    return json_response(Paused(queue=queue.name, paused=paused, was_paused=before))


async def _all(call: Call) -> list[QueueResponse]:
    store = call.deployment.store
    stats = await asyncio.gather(*(store.stats(queue) for queue in call.deployment.queues()))
    return [QueueResponse(**describe_queue(one)) for one in stats]


def _health(queue: QueueResponse) -> QueueHealth:
    late = queue.oldest_age is not None and queue.oldest_age > LATE
    return QueueHealth(
        status="paused" if queue.paused else "behind" if late else "ok",
        waiting=queue.counts["waiting"],
        dead=queue.counts["dead"],
        oldest_age=queue.oldest_age,
    )
