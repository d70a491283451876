"""The table of operations: path, method, required role, request and response models. The router,
the access rules and the OpenAPI document are made of it; what is not in it does not exist."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from starlette.responses import Response

from ..declare.requests import EnqueueMany, EnqueueOne, RedriveMany
from . import cron, deadletters, enqueue, jobs, keys, queues, schedules
from .body import json_response
from .call import Call
from .operation import Operation
from .responses import ResponseModel


class LivenessResponse(ResponseModel):
    """The process answers. Nothing else is checked."""

    status: str


class OpenApiResponse(ResponseModel):
    """An OpenAPI 3.1 document."""

    openapi: str


async def healthz(_call: Call) -> Response:
    """Liveness of the process; the store is not contacted."""
    return json_response(LivenessResponse(status="ok"))


async def openapi(_call: Call) -> Response:
    """The OpenAPI document of this API."""
    return json_response(_document())


@functools.cache
def _document() -> dict[str, object]:
    """Made once a process: anybody may ask for it."""
    from .openapi import document  # noqa: PLC0415 - rarely needed, and builds every schema

    return document(ROUTES)


_JOBS = "/api/v1/queues/{queue}/jobs"
_DEAD = "/api/v1/dead-letters"
_SCHEDULE = "/api/v1/schedules/{app}/{name}"
_KEY = {"Idempotency-Key": "The same key and body have the same answer for 24 hours."}
_PAGE = {"cursor": "The `next` of the page before.", "limit": "Rows a page, 1 to 200."}
_STATE = {"state": "The state of the jobs.", "queue": "Only of this queue.", **_PAGE}
_FILTER = {
    "queue": "Only of this queue.",
    "type": "Only of this job type.",
    "error": "Only with this text in the last error.",
    **_PAGE,
}
_ONLY = {"queue": "Drain these queues, comma-separated, whether they are due or not."}

ROUTES: tuple[Operation, ...] = (
    Operation("POST", _JOBS, "producer", enqueue.enqueue,
          {202: (enqueue.EnqueueResponse, enqueue.EnqueueManyResponse)},
          (EnqueueOne, EnqueueMany), headers=_KEY, problems=(507,)),
    Operation("GET", "/api/v1/jobs", "viewer", jobs.index, {200: (jobs.JobPageResponse,)},
          query=_STATE),
    Operation("GET", "/api/v1/jobs/{id}", "viewer", jobs.show, {200: (jobs.JobResponse,)}),
    Operation("DELETE", "/api/v1/jobs/{id}", "operator", jobs.cancel,
          {200: (jobs.CancelResponse,), 202: (jobs.CancelResponse,)}, problems=(409,)),
    Operation("GET", "/api/v1/stats", "viewer", queues.stats, {200: (queues.StatsResponse,)}),
    Operation("GET", "/api/v1/queues", "viewer", queues.index, {200: (queues.QueuesResponse,)}),
    Operation("GET", "/api/v1/queues/{queue}", "viewer", queues.show,
          {200: (queues.QueueResponse,)}),
    Operation("GET", "/api/v1/queues/{queue}/keys", "viewer", keys.index,
          {200: (keys.KeysResponse,)}, query={"limit": "Keys, 1 to 200."}),
    Operation("POST", "/api/v1/queues/{queue}/pause", "operator", queues.pause,
          {200: (queues.PauseResponse,)}),
    Operation("POST", "/api/v1/queues/{queue}/resume", "operator", queues.resume,
          {200: (queues.PauseResponse,)}),
    Operation("POST", "/api/v1/queues/{queue}/purge", "admin", queues.purge,
          {200: (queues.PurgeResponse,)}),
    Operation("GET", _DEAD, "viewer", deadletters.index,
          {200: (deadletters.DeadLetterPageResponse,)}, query=_FILTER),
    Operation("POST", f"{_DEAD}/redrive", "operator", deadletters.redrive_many,
          {200: (deadletters.RedriveManyResponse,)}, (RedriveMany,)),
    Operation("GET", f"{_DEAD}/{{id}}", "viewer", deadletters.show,
          {200: (deadletters.DeadLetterDetailResponse,)}),
    Operation("DELETE", f"{_DEAD}/{{id}}", "admin", deadletters.delete,
          {200: (deadletters.DeleteResponse,)}),
    Operation("POST", f"{_DEAD}/{{id}}/redrive", "operator", deadletters.redrive,
          {200: (deadletters.RedriveResponse,)}, problems=(409,)),
    Operation("GET", "/api/v1/schedules", "viewer", schedules.index,
          {200: (schedules.SchedulesResponse,)}),
    Operation("GET", _SCHEDULE, "viewer", schedules.show,
          {200: (schedules.ScheduleDetailResponse,)}),
    Operation("POST", f"{_SCHEDULE}/pause", "operator", schedules.pause,
          {200: (schedules.SchedulePauseResponse,)}),
    Operation("POST", f"{_SCHEDULE}/resume", "operator", schedules.resume,
          {200: (schedules.SchedulePauseResponse,)}),
    Operation("POST", f"{_SCHEDULE}/run", "operator", schedules.run,
          {202: (schedules.ScheduleRunResponse,)}),
    Operation("GET", "/api/v1/health", "viewer", queues.health, {200: (queues.HealthResponse,)}),
    Operation("GET", "/api/cron/drain", "cron", cron.drain,
          {200: (cron.ReportResponse,)}, query=_ONLY, head=False),
    Operation("POST", "/api/cron/drain", "cron", cron.drain,
          {200: (cron.ReportResponse,)}, query=_ONLY),
    Operation("GET", "/healthz", "public", healthz, {200: (LivenessResponse,)}),
    Operation("GET", "/openapi.json", "public", openapi, {200: (OpenApiResponse,)}),
)  # fmt: skip

ALIASES: Mapping[str, str] = {
    "/api/jobs/stats": "/api/v1/stats",
    "/api/jobs/{id}": "/api/v1/jobs/{id}",
    "/api/v1/admin/failed-jobs": _DEAD,
    "/api/v1/admin/failed-jobs/{id}": f"{_DEAD}/{{id}}",
    "/api/v1/admin/failed-jobs/{id}/retry": f"{_DEAD}/{{id}}/redrive",
    "/api/v1/health/queues": "/api/v1/health",
}
"""Alias -> path of the route that answers there, for all its methods. The requirements name the
aliases."""
