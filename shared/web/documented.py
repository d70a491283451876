"""The paths that the requirement documents name: their operations, in the documents' own shapes.
Decision 30 has the reason why they stand here and not with the applications."""

from __future__ import annotations

from .metrics import MEDIA_TYPE
from .operation import Operation

_FAILED = "/api/v1/admin/failed-jobs"
_FILTER = {
    "queue": "Only of this queue.",
    "type": "Only of this job type.",
    "error": "Only with this text in the last error.",
    "cursor": "The `next` of the page before.",
    "limit": "Rows a page, 1 to 200.",
}
_FORMAT = {"format": "json, prometheus (with the right metrics), health or alerts."}

DOCUMENTED: tuple[Operation, ...] = (
    Operation("GET", "/api/queue/dashboard", "read", "dashboard:show",
          {200: ("DashboardResponse", "QueuesHealthResponse",
                 "alerts:AlertsResponse")}, query=_FORMAT, text=MEDIA_TYPE, filters=True),
    Operation("GET", "/api/v1/health/queues", "read", "dashboard:health",
          {200: ("QueuesHealthResponse",)}, filters=True),
    Operation("GET", _FAILED, "read", "failed_jobs:index",
          {200: ("FailedJobPageResponse",)}, query=_FILTER, filters=True),
    Operation("GET", f"{_FAILED}/{{id}}", "read", "failed_jobs:show",
          {200: ("FailedJobResponse",)}),
    Operation("POST", f"{_FAILED}/{{id}}/retry", "operate", "deadletters:redrive",
          {200: ("RedriveResponse",)}, problems=(409,)),
    Operation("GET", "/api/jobs/stats", "read", "job_status:stats",
          {200: ("JobStatsResponse",)}, filters=True),
    Operation("GET", "/api/jobs/{id}", "read", "job_status:show",
          {200: ("JobStatusResponse",)}, own=True),
)  # fmt: skip
