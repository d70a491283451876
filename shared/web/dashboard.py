"""GET /api/queue/dashboard and /api/v1/health/queues: the dashboard API of the trading journal, and
the health of each queue in the form that the tasks application describes."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field
from starlette.responses import Response

from ..access.rights import Right
from ..clock import utc
from ..errors import InvalidRequest
from ..observe.describe import describe_queue
from ..store.queue_stats import QueueStats
from . import alerts, metrics
from .body import json_response
from .call import Call, Handler
from .job_status import CountsResponse, TotalCountsResponse, add_up, count
from .queues import health_of, worst
from .responses import CamelCaseResponse

FORMATS: dict[str, tuple[Right, Handler]] = {
    "prometheus": ("metrics", metrics.show),
    "alerts": ("read", alerts.index),
}
"""Formats that other routes answer, too, with the rights that these need."""
KNOWN = ("json", "health", *FORMATS)


class QueueStateResponse(CountsResponse):
    """One queue. `status`: `ok`, `behind` (the oldest waiting job is old) or `paused`."""

    status: str
    is_paused: bool


class QueuesHealthResponse(CamelCaseResponse):
    """The health of every queue; `status` is the worst of them."""

    status: str
    timestamp: datetime
    queues: dict[str, QueueStateResponse]


class ProcessingResponse(CamelCaseResponse):
    """`processed` and `failed` are jobs ever counted; times are those of the last thousand or so of
    each job type, in milliseconds."""

    processed: int
    failed: int
    avg_processing_time: float | None
    p95_processing_time: float | None = Field(description="null while too few are observed")


class DashboardQueueResponse(QueueStateResponse):
    """One queue and its metrics."""

    name: str
    metrics: ProcessingResponse


class DashboardResponse(CamelCaseResponse):
    """Every queue, most urgent first, and all together."""

    status: str
    timestamp: datetime
    totals: TotalCountsResponse
    queues: list[DashboardQueueResponse]


async def show(call: Call) -> Response:
    """The queues in one of four formats: `json` (the default), `prometheus` (for callers with the
    right `metrics`), `health`, `alerts`."""
    wanted = call.query("format").get("format", "json")
    if wanted not in KNOWN:
        raise InvalidRequest(f"format: one of {', '.join(KNOWN)}")
    if wanted in FORMATS:
        right, handler = FORMATS[wanted]
        call.caller.require(right)
        return await handler(call)
    return await health(call) if wanted == "health" else await _dashboard(call)


async def health(call: Call) -> Response:
    """The health of each queue."""
    stats = await call.deployment.store.overview(call.queues())
    queues = {one.queue.name: QueueStateResponse(**_state(one)) for one in stats}
    status = worst([one.status for one in queues.values()])
    return json_response(QueuesHealthResponse(status=status, timestamp=_now(call), queues=queues))


async def _dashboard(call: Call) -> Response:
    stats = await call.deployment.store.overview(call.queues())
    queues = [
        DashboardQueueResponse(**_state(one), name=one.queue.name, metrics=_metrics(one))
        for one in stats
    ]
    return json_response(
        DashboardResponse(
            status=worst([one.status for one in queues]),
            timestamp=_now(call),
            totals=add_up(queues),
            queues=queues,
        )
    )


def _state(stats: QueueStats) -> dict[str, object]:
    return {
        **count(stats).model_dump(),
        "status": health_of(stats),
        "is_paused": stats.paused,
    }


def _metrics(stats: QueueStats) -> ProcessingResponse:
    durations = describe_queue(stats)["durations"]
    return ProcessingResponse(
        processed=stats.totals["done"],
        failed=stats.totals["dead"],
        avg_processing_time=_milliseconds(durations["average"]),
        p95_processing_time=_milliseconds(durations["p95"]),
    )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def _now(call: Call) -> datetime:
    return utc(call.deployment.clock.epoch_ms())
