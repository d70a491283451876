"""The table of operations: path, method, required right, request and response models. The router,
the access rules, the audit, the OpenAPI document and docs/guides/access.md are made of it; what is
not in it does not exist."""

from __future__ import annotations

import functools

from pydantic_core import to_json
from starlette.responses import Response

from ..declare.requests import EnqueueMany, EnqueueOne, RedriveMany
from . import (
    alerts,
    archive,
    audit,
    cron,
    deadletters,
    enqueue,
    events,
    jobs,
    keys,
    metrics,
    queues,
    schedules,
    tokens,
)
from .body import json_response
from .call import Call
from .documented import DOCUMENTED
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
def _document() -> bytes:
    """Made once a process: anybody may ask for it."""
    from .openapi import document  # noqa: PLC0415 - rarely needed, and builds every schema

    return to_json(document(ROUTES))


_JOBS = "/api/v1/queues/{queue}/jobs"
_DEAD = "/api/v1/dead-letters"
_ARCHIVE = "/api/v1/archive"
_SCHEDULE = "/api/v1/schedules/{app}/{name}"
_ONE_TOKEN = "/api/v1/tokens/{token}"  # noqa: S105 - a path
_KEY = {"Idempotency-Key": "The same key and body have the same answer for 24 hours."}
_PAGE = {"cursor": "The `next` of the page before.", "limit": "Rows a page, 1 to 200."}
_STATE = {"state": "The state of the jobs.", "queue": "Only of this queue.", **_PAGE}
_FILTER = {
    "queue": "Only of this queue.",
    "type": "Only of this job type.",
    "error": "Only with this text in the last error.",
    **_PAGE,
}
_SEARCH = {
    **_FILTER,
    "since": "Died at this instant or later: ISO 8601 with an offset.",
    "until": "Died before this instant.",
    "payload": "A JSON object: only payloads that have its fields. For operators.",
}
_EVENTS = {
    "queue": "Only of this queue.",
    "event": "Only completed, failed, stalled or progress.",
    "cursor": "The `next` of the page before; without it from the oldest that is kept.",
}
_LAST_EVENT = {"Last-Event-ID": "In place of `cursor`: clients of streams send it by themselves."}
_ONLY = {"queue": "Drain these queues, comma-separated, whether they are due or not."}

ROUTES: tuple[Operation, ...] = (
    Operation("POST", _JOBS, "enqueue", enqueue.enqueue,
          {202: (enqueue.EnqueueResponse, enqueue.EnqueueManyResponse)},
          (EnqueueOne, EnqueueMany), headers=_KEY, problems=(507,)),
    Operation("GET", "/api/v1/jobs", "read", jobs.index, {200: (jobs.JobPageResponse,)},
          query=_STATE, filters=True),
    Operation("GET", "/api/v1/jobs/{id}", "read", jobs.show, {200: (jobs.JobResponse,)}, own=True),
    Operation("DELETE", "/api/v1/jobs/{id}", "operate", jobs.cancel,
          {200: (jobs.CancelResponse,), 202: (jobs.CancelResponse,)}, problems=(409,)),
    Operation("GET", "/api/v1/stats", "read", queues.stats, {200: (queues.StatsResponse,)},
          filters=True),
    Operation("GET", "/api/v1/queues", "read", queues.index, {200: (queues.QueuesResponse,)},
          filters=True),
    Operation("GET", "/api/v1/queues/{queue}", "read", queues.show,
          {200: (queues.QueueResponse,)}),
    Operation("GET", "/api/v1/queues/{queue}/keys", "read", keys.index,
          {200: (keys.KeysResponse,)}, query={"limit": "Keys, 1 to 200."}),
    Operation("POST", "/api/v1/queues/{queue}/pause", "operate", queues.pause,
          {200: (queues.PauseResponse,)}),
    Operation("POST", "/api/v1/queues/{queue}/resume", "operate", queues.resume,
          {200: (queues.PauseResponse,)}),
    Operation("POST", "/api/v1/queues/{queue}/purge", "delete", queues.purge,
          {200: (queues.PurgeResponse,)}),
    Operation("GET", _DEAD, "read", deadletters.index,
          {200: (deadletters.DeadLetterPageResponse,)}, query=_FILTER, filters=True),
    Operation("POST", f"{_DEAD}/redrive", "operate", deadletters.redrive_many,
          {200: (deadletters.RedriveManyResponse,)}, (RedriveMany,), filters=True),
    Operation("GET", f"{_DEAD}/{{id}}", "read", deadletters.show,
          {200: (deadletters.DeadLetterDetailResponse,)}),
    Operation("DELETE", f"{_DEAD}/{{id}}", "delete", deadletters.delete,
          {200: (deadletters.DeleteResponse,)}),
    Operation("POST", f"{_DEAD}/{{id}}/redrive", "operate", deadletters.redrive,
          {200: (deadletters.RedriveResponse,)}, problems=(409,)),
    Operation("GET", _ARCHIVE, "read", archive.index,
          {200: (archive.ArchivePageResponse,)}, query=_SEARCH, filters=True),
    Operation("POST", f"{_ARCHIVE}/redrive", "operate", archive.redrive_many,
          {200: (archive.ArchiveRedriveResponse,)}, (archive.RedriveArchived,), filters=True),
    Operation("GET", f"{_ARCHIVE}/{{row}}", "read", archive.show,
          {200: (archive.ArchivedDetailResponse,)}, filters=True),
    Operation("POST", f"{_ARCHIVE}/{{row}}/redrive", "operate", archive.redrive,
          {200: (archive.ArchiveVerdictResponse,)}, filters=True),
    Operation("GET", "/api/v1/schedules", "read", schedules.index,
          {200: (schedules.SchedulesResponse,)}, filters=True),
    Operation("GET", _SCHEDULE, "read", schedules.show,
          {200: (schedules.ScheduleDetailResponse,)}),
    Operation("POST", f"{_SCHEDULE}/pause", "operate", schedules.pause,
          {200: (schedules.SchedulePauseResponse,)}),
    Operation("POST", f"{_SCHEDULE}/resume", "operate", schedules.resume,
          {200: (schedules.SchedulePauseResponse,)}),
    Operation("POST", f"{_SCHEDULE}/run", "operate", schedules.run,
          {202: (schedules.ScheduleRunResponse,)}),
    Operation("GET", "/api/v1/health", "read", queues.health, {200: (queues.HealthResponse,)},
          filters=True),
    Operation("GET", "/api/cron/drain", "drain", cron.drain,
          {200: (cron.ReportResponse,)}, query=_ONLY, head=False, filters=True),
    Operation("POST", "/api/cron/drain", "drain", cron.drain,
          {200: (cron.ReportResponse,)}, query=_ONLY, filters=True),
    Operation("GET", "/api/cron/maintain", "drain", cron.maintain,
          {200: (cron.MaintainReportResponse,)}, head=False),
    Operation("POST", "/api/cron/maintain", "drain", cron.maintain,
          {200: (cron.MaintainReportResponse,)}),
    Operation("GET", "/api/v1/tokens", "manage", tokens.index, {200: (tokens.TokensResponse,)}),
    Operation("POST", "/api/v1/tokens", "manage", tokens.create,
          {201: (tokens.NewTokenResponse,)}, (tokens.CreateToken,)),
    Operation("DELETE", _ONE_TOKEN, "manage", tokens.revoke, {200: (tokens.TokenResponse,)}),
    Operation("POST", f"{_ONE_TOKEN}/rotate", "manage", tokens.rotate,
          {201: (tokens.NewTokenResponse,)}, (tokens.RotateToken,)),
    Operation("GET", "/api/v1/audit", "manage", audit.index, {200: (audit.AuditResponse,)},
          query=_PAGE),
    Operation("GET", "/api/v1/alerts", "read", alerts.index, {200: (alerts.AlertsResponse,)},
          filters=True),
    Operation("GET", "/api/v1/events", "read", events.index, {200: (events.EventPageResponse,)},
          query=_EVENTS, headers=_LAST_EVENT, text=events.MEDIA_TYPE, filters=True),
    Operation("GET", "/metrics", "metrics", metrics.show, {}, text=metrics.MEDIA_TYPE,
          filters=True),
    Operation("GET", "/healthz", "public", healthz, {200: (LivenessResponse,)}),
    Operation("GET", "/openapi.json", "public", openapi, {200: (OpenApiResponse,)}),
    *DOCUMENTED,
)  # fmt: skip
