"""GET /api/jobs/stats and /api/jobs/{id}, in the form that the documents application shows: the
states and names of BullMQ, for pages that were written for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from starlette.responses import Response

from ..clock import utc
from ..observe.describe import instant
from ..store.queue_stats import QueueStats
from ..store.views import JobView
from .body import json_response
from .call import Call
from .responses import CamelCaseResponse

MODE = "tidegate"
STATUSES = {"active": "running", "dead": "failed"}
"""State -> status, where they differ."""


class CountsResponse(CamelCaseResponse):
    """Jobs by state. `failed`: dead letters. `delayed`: parked ones, too."""

    waiting: int
    active: int
    completed: int
    failed: int
    delayed: int


class TotalCountsResponse(CountsResponse):
    """Jobs by state, and their sum."""

    total: int


class JobStatsResponse(CamelCaseResponse):
    """The jobs of all queues. `mode` is always `tidegate`."""

    success: bool
    mode: str
    stats: TotalCountsResponse
    timestamp: datetime


class JobOfStatusResponse(CamelCaseResponse):
    """One job. `status`: its state, but `running` for active and `failed` for dead. `attempts`: the
    one that runs included. `updatedAt`: the last change that the store has an instant of."""

    id: str
    name: str
    status: str
    progress: float
    created_at: datetime | None
    updated_at: datetime | None
    attempts: int


class JobStatusResponse(CamelCaseResponse):
    """One job as it stands."""

    success: bool
    job: JobOfStatusResponse


async def stats(call: Call) -> Response:
    """The jobs of all queues by state."""
    deployment = call.deployment
    counts = [count(one) for one in await deployment.store.overview(call.queues())]
    now = utc(deployment.clock.epoch_ms())
    return json_response(
        JobStatsResponse(success=True, mode=MODE, stats=add_up(counts), timestamp=now)
    )


async def show(call: Call) -> Response:
    """One job: status, progress and attempts."""
    view = await call.deployment.store.inspect(*call.job())
    call.require_own(view)
    return json_response(JobStatusResponse(success=True, job=_job(view)))


def count(stats: QueueStats) -> CountsResponse:
    """The jobs of one queue by state."""
    sizes = stats.sizes
    return CountsResponse(
        waiting=stats.waiting,
        active=sizes["active"],
        completed=sizes["completed"],
        failed=sizes["dead"],
        delayed=sizes["delayed"] + sizes["parked"],
    )


def add_up(counts: Sequence[CountsResponse]) -> TotalCountsResponse:
    """The jobs of several queues by state, and all together."""
    names = CountsResponse.model_fields
    sums = {name: sum(getattr(one, name) for one in counts) for name in names}
    return TotalCountsResponse(**sums, total=sum(sums.values()))


def _job(view: JobView) -> JobOfStatusResponse:
    return JobOfStatusResponse(
        id=view.id,
        name=view.type,
        status=STATUSES.get(view.state, view.state),
        progress=view.progress or 0.0,
        created_at=instant(view.created_ms),
        updated_at=instant(_updated_ms(view)),
        attempts=view.attempts + (view.state == "active"),
    )


def _updated_ms(view: JobView) -> int | None:
    """The newest instant of the past in the record: its end, a failed attempt, when it
    began to wait, when it was made."""
    errors = [error.get("at") for error in view.errors]
    instants = [view.created_ms, view.since_ms, view.at_ms, *errors]
    return max((at for at in instants if isinstance(at, int) and at <= view.now_ms), default=None)
