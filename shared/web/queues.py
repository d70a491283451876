"""Queues as operators see them: counts, limits, durations, health; and their switches."""

from __future__ import annotations

import asyncio
from collections import Counter

from pydantic import Field
from starlette.responses import Response

from ..durations import mean, quantile
from ..job import made_ms
from ..policy import RateLimit
from ..queue import Queue
from ..store.views import QueueStats
from .answers import Answer, Paused, Purged, respond
from .call import Call

COUNTED = ("waiting", "delayed", "active", "parked", "completed", "cancelled", "dead")
LATE = 300.0
"""Seconds the oldest waiting job may be old before its queue counts as behind."""


class TypeAnswer(Answer):
    """A job type: its numbers and how long its jobs were seen to take, in seconds."""

    timeout: float
    attempts: int
    observed: int
    average: float | None
    p95: float | None = Field(description="null before enough were observed")


class LimitAnswer(Answer):
    """The queue's token bucket. `tokens` as the last turn left them."""

    rate: int
    per: float
    burst: int
    tokens: float | None


class QueueAnswer(Answer):
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
    limit: LimitAnswer | None
    oldest_waiting: str | None
    oldest_age: float | None = Field(description="Seconds since it was enqueued, by its id.")
    types: dict[str, TypeAnswer]


class Queues(Answer):
    """Every queue, most urgent first."""

    queues: list[QueueAnswer]


class Stats(Answer):
    """All queues together, and each by name."""

    counts: dict[str, int]
    totals: dict[str, int]
    queues: dict[str, QueueAnswer]


class QueueHealth(Answer):
    """`ok`, `behind` (the oldest waiting job is old) or `paused`."""

    status: str
    waiting: int
    dead: int
    oldest_age: float | None


class Health(Answer):
    """The store answers, and this is how the queues are; `status` is the worst of them."""

    status: str
    queues: dict[str, QueueHealth]


async def index(call: Call) -> Response:
    """All queues with their numbers."""
    return respond(Queues(queues=await _all(call)))


async def show(call: Call) -> Response:
    """One queue with its numbers."""
    queue = call.site.registry.queue(call.param("queue"))
    return respond(_answer(await call.site.store().stats(queue)))


async def stats(call: Call) -> Response:
    """Counts over all queues, and each queue's own."""
    queues = await _all(call)
    counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
    totals: Counter[str] = Counter()
    for queue in queues:
        counts.update(queue.counts)
        totals.update(queue.totals)
    by_name = {queue.name: queue for queue in queues}
    return respond(Stats(counts=dict(counts), totals=dict(totals), queues=by_name))


async def health(call: Call) -> Response:
    """Per-queue health. A store that can't be reached is a 503, as everywhere."""
    found = {queue.name: _health(queue) for queue in await _all(call)}
    worst = next(
        (s for s in ("behind", "paused") if any(q.status == s for q in found.values())), "ok"
    )
    return respond(Health(status=worst, queues=found))


async def pause(call: Call) -> Response:
    """Nothing more is claimed; what runs goes on."""
    return await _switch(call, paused=True)


async def resume(call: Call) -> Response:
    """Claiming goes on with the next drain."""
    return await _switch(call, paused=False)


async def purge(call: Call) -> Response:
    """Delete every waiting and delayed job of the queue. Active and ended ones stay."""
    queue = call.site.registry.queue(call.param("queue"))
    return respond(Purged(queue=queue.name, purged=await call.site.store().purge(queue)))


async def _switch(call: Call, *, paused: bool) -> Response:
    queue = call.site.registry.queue(call.param("queue"))
    before = await call.site.store().pause(queue, paused=paused)
    return respond(Paused(queue=queue.name, paused=paused, was_paused=before))


async def _all(call: Call) -> list[QueueAnswer]:
    store = call.site.store()
    found = await asyncio.gather(*(store.stats(queue) for queue in call.site.registry.queues()))
    return [_answer(stats) for stats in found]


def _answer(stats: QueueStats) -> QueueAnswer:
    queue, sizes = stats.queue, stats.sizes
    born = made_ms(stats.oldest.partition(".")[0]) if stats.oldest else None
    return QueueAnswer(
        name=queue.name,
        app=queue.app,
        priority=queue.priority,
        paused=stats.paused,
        counts={"waiting": stats.waiting, **{state: sizes[state] for state in COUNTED[1:]}},
        waiting_by_priority={band: sizes[band] for band in ("high", "normal", "low")},
        suspects=sizes["suspects"],
        inbox=sizes["inbox"],
        totals=stats.totals,
        concurrency=queue.concurrency,
        limit=_limit(queue.limit, stats.tokens),
        oldest_waiting=stats.oldest,
        oldest_age=None if born is None else max(0.0, (stats.now_ms - born) / 1000),
        types=_types(queue, stats),
    )


def _limit(limit: RateLimit | None, tokens: float | None) -> LimitAnswer | None:
    if limit is None:
        return None
    return LimitAnswer(rate=limit.rate, per=limit.per, burst=limit.burst, tokens=tokens)


def _types(queue: Queue, stats: QueueStats) -> dict[str, TypeAnswer]:
    found = {}
    for name, job_type in sorted(queue.types.items()):
        sketch = stats.sketches.get(name, [])
        found[name] = TypeAnswer(
            timeout=job_type.timeout,
            attempts=job_type.retry.attempts,
            observed=sum(sketch),
            average=mean(sketch),
            p95=quantile(sketch, 0.95),
        )
    return found


def _health(queue: QueueAnswer) -> QueueHealth:
    late = queue.oldest_age is not None and queue.oldest_age > LATE
    return QueueHealth(
        status="paused" if queue.paused else "behind" if late else "ok",
        waiting=queue.counts["waiting"],
        dead=queue.counts["dead"],
        oldest_age=queue.oldest_age,
    )
