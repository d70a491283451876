"""Queues over HTTP: numbers, health, pause, resume, and purges of jobs and of names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from pydantic import Field
from starlette.responses import Response

from ..errors import InvalidOption
from ..observe.describe import STATES, describe_queue
from ..observe.undeclared import describe_undeclared, read_undeclared
from ..store.names import START, purge_names_page
from ..store.queue_stats import QueueStats
from .body import json_response
from .call import Call
from .responses import ResponseModel

BEHIND_SECONDS = 300.0
"""Seconds the oldest waiting job may be old before its queue counts as behind."""

PURGE_SECONDS = 20.0
"""Seconds after which a purge answers, so that no function's window ends before."""
_CURSOR = re.compile(r"[0-9]{1,20}")


class DurationsResponse(ResponseModel):
    """Seconds that jobs ran, over the last thousand or so of each job type."""

    observed: int
    average: float | None
    p95: float | None = Field(description="null while too few are observed")


class TypeResponse(DurationsResponse):
    """A job type: its numbers, and the durations of its jobs."""

    timeout: float
    attempts: int


class LimitResponse(ResponseModel):
    """The queue's token bucket. `tokens`: what the last turn left in it."""

    rate: int
    per: float
    burst: int
    tokens: float | None


class ShardResponse(ResponseModel):
    """What one shard of a queue holds."""

    jobs: int
    bytes: int


class UsageResponse(ResponseModel):
    """Everything that the queue stores, ended jobs included, and its bounds. Beyond them an enqueue
    is refused. `shards`: how that is spread over the queue's shards."""

    jobs: int
    max_jobs: int
    bytes: int
    max_bytes: int
    shards: list[ShardResponse]


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
    usage: UsageResponse
    last_turn_at: datetime | None = Field(description="When a drain last looked at the queue.")
    oldest_waiting: str | None
    oldest_age: float | None = Field(description="Seconds since it began to wait.")
    durations: DurationsResponse
    types: dict[str, TypeResponse]


class UndeclaredResponse(ResponseModel):
    """A queue that holds jobs and that no application declares."""

    name: str
    paused: bool
    jobs: int = Field(description="Everything that it holds, ended jobs included.")
    counts: dict[str, int]


class QueuesResponse(ResponseModel):
    """Every queue, most urgent first."""

    queues: list[QueueResponse]
    undeclared: list[UndeclaredResponse] = Field(
        description="Queues with jobs that no application declares, for callers that reach all."
    )


class StatsResponse(ResponseModel):
    """All queues together, and each by name."""

    counts: dict[str, int]
    totals: dict[str, int]
    queues: dict[str, QueueResponse]


class QueueHealthResponse(ResponseModel):
    """`ok`, `behind` (the oldest waiting job is old) or `paused`."""

    status: str
    waiting: int
    dead: int
    oldest_age: float | None


class HealthResponse(ResponseModel):
    """The health of every queue; `status` is the worst of them."""

    status: str
    queues: dict[str, QueueHealthResponse]


class PauseResponse(ResponseModel):
    """The switch as it stands now, and as it was."""

    queue: str
    paused: bool
    was_paused: bool


class PurgeResponse(ResponseModel):
    """The number of waiting and delayed jobs that were deleted."""

    queue: str
    purged: int
    next: str | None = Field(description="Where to POST again: jobs are left. null: none are.")


class PurgeNamesResponse(ResponseModel):
    """The number of names that were deleted."""

    queue: str
    purged: int
    next: str | None = Field(description="Where to POST again: names are left. null: none are.")


async def index(call: Call) -> Response:
    """All queues with their numbers."""
    store, others = call.deployment.store, list[QueueStats]()
    queues = await _all(call)
    if call.caller.queues is None:
        others = await read_undeclared(store, call.deployment.registry)
    undeclared = [UndeclaredResponse(**describe_undeclared(one)) for one in others]
    return json_response(QueuesResponse(queues=queues, undeclared=undeclared))


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
    return json_response(StatsResponse(counts=dict(counts), totals=dict(totals), queues=by_name))


async def health(call: Call) -> Response:
    """The health of each queue. A store that can't be reached is a 503, as everywhere."""
    stats = await call.deployment.store.overview(call.queues())
    by_name = {one.queue.name: _health(one) for one in stats}
    status = worst([one.status for one in by_name.values()])
    return json_response(HealthResponse(status=status, queues=by_name))


async def pause(call: Call) -> Response:
    """Stop claiming jobs of this queue; running ones go on."""
    return await _switch(call, paused=True)


async def resume(call: Call) -> Response:
    """Allow claiming again, from the next drain on."""
    return await _switch(call, paused=False)


async def purge(call: Call) -> Response:
    """Delete every waiting and delayed job of the queue, for at most 20 seconds. Active and ended
    ones stay."""
    queue, deployment = call.queue(), call.deployment
    until = deployment.clock.monotonic() + PURGE_SECONDS
    purged, more = await deployment.store.purge_page(queue)
    while more and deployment.clock.monotonic() < until:
        count, more = await deployment.store.purge_page(queue)
        purged += count
    call.tell_changed(purged)
    path = f"/api/v1/queues/{queue.name}/purge"
    return json_response(
        PurgeResponse(queue=queue.name, purged=purged, next=path if more else None)
    )


async def purge_names(call: Call) -> Response:
    """Delete every name that callers hold for a time (deduplication with a ttl, idempotency keys),
    for at most 20 seconds. Jobs stay."""
    queue, deployment = call.queue(), call.deployment
    cursor = _cursor(call)
    until = deployment.clock.monotonic() + PURGE_SECONDS
    page = await purge_names_page(deployment.store, queue, cursor)
    purged = page.purged
    while page.cursor is not None and deployment.clock.monotonic() < until:
        page = await purge_names_page(deployment.store, queue, page.cursor)
        purged += page.purged
    call.tell_changed(purged)
    path = f"/api/v1/queues/{queue.name}/purge-names?cursor={page.cursor}"
    following = None if page.cursor is None else path
    return json_response(PurgeNamesResponse(queue=queue.name, purged=purged, next=following))


def _cursor(call: Call) -> str:
    cursor = call.query("cursor").get("cursor", START)
    if not _CURSOR.fullmatch(cursor):
        raise InvalidOption("cursor: pass on the `next` of an earlier answer.", "cursor")
    return cursor


async def _switch(call: Call, *, paused: bool) -> Response:
    queue = call.queue()
    before = await call.deployment.store.pause(queue, paused=paused)
    return json_response(PauseResponse(queue=queue.name, paused=paused, was_paused=before))


async def _all(call: Call) -> list[QueueResponse]:
    stats = await call.deployment.store.overview(call.queues())
    return [QueueResponse(**describe_queue(one)) for one in stats]


def health_of(stats: QueueStats) -> str:
    """`ok`, `behind` or `paused`."""
    if stats.paused:
        return "paused"
    age = describe_queue(stats)["oldest_age"]
    return "behind" if age is not None and age > BEHIND_SECONDS else "ok"


def worst(statuses: Sequence[str]) -> str:
    """The health of several queues together."""
    return next((status for status in ("behind", "paused") if status in statuses), "ok")


def _health(stats: QueueStats) -> QueueHealthResponse:
    return QueueHealthResponse(
        status=health_of(stats),
        waiting=stats.waiting,
        dead=stats.sizes["dead"],
        oldest_age=describe_queue(stats)["oldest_age"],
    )
