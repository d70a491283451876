"""The one table of routes: path, method, the role it needs, what it takes and answers. The router,
the access rules and the OpenAPI document are all made of it; what is not in it does not exist."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from ..declare.requests import EnqueueMany, EnqueueOne, RedriveMany
from . import cron, deadletters, enqueue, jobs, queues
from .call import Call
from .operation import Operation
from .responses import (
    Accepted,
    AcceptedMany,
    Cancelled,
    DeadLetterDetail,
    DeadLetters,
    Deleted,
    JobResponse,
    Paused,
    Purged,
    Redriven,
    RedrivenMany,
    ResponseModel,
    json_response,
)


class Alive(ResponseModel):
    """The process answers. Nothing else was looked at."""

    status: str


class Document(ResponseModel):
    """An OpenAPI 3.1 document."""

    openapi: str


async def healthz(_call: Call) -> Response:
    """Liveness, without a look at the store."""
    return json_response(Alive(status="ok"))


async def openapi(_call: Call) -> Response:
    """This API, described."""
    from .openapi import document  # noqa: PLC0415 - asked for rarely, and builds every schema

    return json_response(document(ROUTES))


_JOBS = "/api/v1/queues/{queue}/jobs"
_DEAD = "/api/v1/dead-letters"
_KEY = {"Idempotency-Key": "The same key and body have the same answer for 24 hours."}
_FILTER = {
    "queue": "Only of this queue.",
    "type": "Only of this job type.",
    "error": "Only with this text in the last error.",
    "cursor": "The `next` of the page before.",
    "limit": "Rows a page, 1 to 200.",
}
_ONLY = {"queue": "Drain these queues, comma-separated, whether they are due or not."}

ROUTES: tuple[Operation, ...] = (
    Operation("POST", _JOBS, "producer", enqueue.enqueue, {202: (Accepted, AcceptedMany)},
          (EnqueueOne, EnqueueMany), headers=_KEY),
    Operation("GET", "/api/v1/jobs/{id}", "viewer", jobs.show, {200: (JobResponse,)}),
    Operation("DELETE", "/api/v1/jobs/{id}", "operator", jobs.cancel,
          {200: (Cancelled,), 202: (Cancelled,)}),
    Operation("GET", "/api/v1/stats", "viewer", queues.stats, {200: (queues.Stats,)}),
    Operation("GET", "/api/v1/queues", "viewer", queues.index, {200: (queues.Queues,)}),
    Operation("GET", "/api/v1/queues/{queue}", "viewer", queues.show,
          {200: (queues.QueueResponse,)}),
    Operation("POST", "/api/v1/queues/{queue}/pause", "operator", queues.pause, {200: (Paused,)}),
    Operation("POST", "/api/v1/queues/{queue}/resume", "operator", queues.resume, {200: (Paused,)}),
    Operation("POST", "/api/v1/queues/{queue}/purge", "admin", queues.purge, {200: (Purged,)}),
    Operation("GET", _DEAD, "viewer", deadletters.index, {200: (DeadLetters,)}, query=_FILTER),
    Operation("POST", f"{_DEAD}/redrive", "operator", deadletters.redrive_many,
          {200: (RedrivenMany,)}, (RedriveMany,)),
    Operation("GET", f"{_DEAD}/{{id}}", "viewer", deadletters.show, {200: (DeadLetterDetail,)}),
    Operation("DELETE", f"{_DEAD}/{{id}}", "admin", deadletters.delete, {200: (Deleted,)}),
    Operation("POST", f"{_DEAD}/{{id}}/redrive", "operator", deadletters.redrive,
          {200: (Redriven,)}),
    Operation("GET", "/api/v1/health", "viewer", queues.health, {200: (queues.Health,)}),
    Operation("GET", "/api/cron/drain", "cron", cron.drain,
          {200: (cron.ReportAnswer,)}, query=_ONLY),
    Operation("POST", "/api/cron/drain", "cron", cron.drain,
          {200: (cron.ReportAnswer,)}, query=_ONLY),
    Operation("GET", "/healthz", "public", healthz, {200: (Alive,)}),
    Operation("GET", "/openapi.json", "public", openapi, {200: (Document,)}),
)  # fmt: skip

ALIASES: Mapping[str, str] = {
    "/api/jobs/stats": "/api/v1/stats",
    "/api/jobs/{id}": "/api/v1/jobs/{id}",
    "/api/v1/admin/failed-jobs": _DEAD,
    "/api/v1/admin/failed-jobs/{id}": f"{_DEAD}/{{id}}",
    "/api/v1/admin/failed-jobs/{id}/retry": f"{_DEAD}/{{id}}/redrive",
    "/api/v1/health/queues": "/api/v1/health",
}
"""Paths named in the requirements -> the route that answers there, for all its methods."""
