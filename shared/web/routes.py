"""The table of operations: path, method, required right, request and response models. The router,
the access rules, the audit, the OpenAPI document and docs/guides/access.md are made of it; what is
not in it does not exist."""

from __future__ import annotations

from .documented import DOCUMENTED
from .metrics import MEDIA_TYPE
from .operation import Operation

_BODIES = "..declare.requests"
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
    Operation("POST", _JOBS, "enqueue", "enqueue:enqueue",
          {202: ("EnqueueResponse", "EnqueueManyResponse")},
          (f"{_BODIES}:EnqueueOne", f"{_BODIES}:EnqueueMany"), headers=_KEY, problems=(409, 507)),
    Operation("GET", "/api/v1/jobs", "read", "jobs:index", {200: ("JobPageResponse",)},
          query=_STATE, filters=True),
    Operation("GET", "/api/v1/jobs/{id}", "read", "jobs:show", {200: ("JobResponse",)}, own=True),
    Operation("DELETE", "/api/v1/jobs/{id}", "operate", "jobs:cancel",
          {200: ("CancelResponse",), 202: ("CancelResponse",)}, problems=(409,)),
    Operation("GET", "/api/v1/stats", "read", "queues:stats", {200: ("StatsResponse",)},
          filters=True),
    Operation("GET", "/api/v1/queues", "read", "queues:index", {200: ("QueuesResponse",)},
          filters=True),
    Operation("GET", "/api/v1/queues/{queue}", "read", "queues:show",
          {200: ("QueueResponse",)}),
    Operation("GET", "/api/v1/queues/{queue}/keys", "read", "keys:index",
          {200: ("KeysResponse",)}, query={"limit": "Keys, 1 to 200."}),
    Operation("POST", "/api/v1/queues/{queue}/pause", "operate", "queues:pause",
          {200: ("PauseResponse",)}),
    Operation("POST", "/api/v1/queues/{queue}/resume", "operate", "queues:resume",
          {200: ("PauseResponse",)}),
    Operation("POST", "/api/v1/queues/{queue}/purge", "delete", "queues:purge",
          {200: ("PurgeResponse",)}),
    Operation("POST", "/api/v1/queues/{queue}/purge-names", "delete", "queues:purge_names",
          {200: ("PurgeNamesResponse",)}, query={"cursor": "In the `next` of the answer before."}),
    Operation("GET", _DEAD, "read", "deadletters:index",
          {200: ("DeadLetterPageResponse",)}, query=_FILTER, filters=True),
    Operation("POST", f"{_DEAD}/redrive", "operate", "deadletters:redrive_many",
          {200: ("RedriveManyResponse",)}, (f"{_BODIES}:RedriveMany",), filters=True),
    Operation("GET", f"{_DEAD}/{{id}}", "read", "deadletters:show",
          {200: ("DeadLetterDetailResponse",)}),
    Operation("DELETE", f"{_DEAD}/{{id}}", "delete", "deadletters:delete",
          {200: ("DeleteResponse",)}),
    Operation("POST", f"{_DEAD}/{{id}}/redrive", "operate", "deadletters:redrive",
          {200: ("RedriveResponse",)}, problems=(409,)),
    Operation("GET", _ARCHIVE, "read", "archive:index",
          {200: ("ArchivePageResponse",)}, query=_SEARCH, filters=True),
    Operation("POST", f"{_ARCHIVE}/redrive", "operate", "archive:redrive_many",
          {200: ("ArchiveRedriveResponse",)}, ("RedriveArchived",), filters=True),
    Operation("GET", f"{_ARCHIVE}/{{row}}", "read", "archive:show",
          {200: ("ArchivedDetailResponse",)}, filters=True),
    Operation("POST", f"{_ARCHIVE}/{{row}}/redrive", "operate", "archive:redrive",
          {200: ("ArchiveVerdictResponse",)}, filters=True),
    Operation("GET", "/api/v1/schedules", "read", "schedules:index",
          {200: ("SchedulesResponse",)}, filters=True),
    Operation("GET", _SCHEDULE, "read", "schedules:show",
          {200: ("ScheduleDetailResponse",)}),
    Operation("POST", f"{_SCHEDULE}/pause", "operate", "schedules:pause",
          {200: ("SchedulePauseResponse",)}),
    Operation("POST", f"{_SCHEDULE}/resume", "operate", "schedules:resume",
          {200: ("SchedulePauseResponse",)}),
    Operation("POST", f"{_SCHEDULE}/run", "operate", "schedules:run",
          {202: ("ScheduleRunResponse",)}),
    Operation("GET", "/api/v1/health", "read", "queues:health", {200: ("HealthResponse",)},
          filters=True),
    Operation("GET", "/api/cron/drain", "drain", "cron:drain",
          {200: ("ReportResponse",)}, query=_ONLY, head=False, filters=True),
    Operation("POST", "/api/cron/drain", "drain", "cron:drain",
          {200: ("ReportResponse",)}, query=_ONLY, filters=True),
    Operation("GET", "/api/cron/maintain", "drain", "cron:maintain",
          {200: ("MaintainReportResponse",)}, head=False),
    Operation("POST", "/api/cron/maintain", "drain", "cron:maintain",
          {200: ("MaintainReportResponse",)}),
    Operation("GET", "/api/v1/tokens", "manage", "tokens:index", {200: ("TokensResponse",)}),
    Operation("POST", "/api/v1/tokens", "manage", "tokens:create",
          {201: ("NewTokenResponse",)}, ("CreateToken",)),
    Operation("DELETE", _ONE_TOKEN, "manage", "tokens:revoke", {200: ("TokenResponse",)}),
    Operation("POST", f"{_ONE_TOKEN}/rotate", "manage", "tokens:rotate",
          {201: ("NewTokenResponse",)}, ("RotateToken",)),
    Operation("GET", "/api/v1/audit", "manage", "audit:index", {200: ("AuditResponse",)},
          query=_PAGE),
    Operation("GET", "/api/v1/alerts", "read", "alerts:index", {200: ("AlertsResponse",)},
          filters=True),
    Operation("GET", "/api/v1/events", "read", "events:index", {200: ("EventPageResponse",)},
          query=_EVENTS, headers=_LAST_EVENT, text="text/event-stream", filters=True),
    Operation("GET", "/metrics", "metrics", "metrics:show", {}, text=MEDIA_TYPE,
          filters=True),
    Operation("GET", "/healthz", "public", "about:healthz", {200: ("LivenessResponse",)}),
    Operation("GET", "/openapi.json", "public", "about:openapi", {200: ("OpenApiResponse",)}),
    *DOCUMENTED,
)  # fmt: skip
