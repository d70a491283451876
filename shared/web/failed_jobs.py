"""GET /api/v1/admin/failed-jobs: dead letters as rows of the table that the weather application
describes (queue_name, job_id, job_data, error_message, failed_at, attempts)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field
from starlette.responses import Response

from ..observe.describe import describe_dead_letter, describe_payload
from ..store.views import JobRecord
from .body import json_response
from .call import Call
from .deadletters import letter_of, page_of
from .responses import ResponseModel


class FailedJobResponse(ResponseModel):
    """A job that will not run again by itself."""

    id: str
    queue_name: str
    job_id: str = Field(description="The same as `id`: a job is in the list once.")
    job_data: Any = Field(description="The payload: null in a list, and below the role operator.")
    error_message: str | None
    failed_at: datetime | None
    attempts: int


class FailedJobPageResponse(ResponseModel):
    """A page, newest first. There is more while `next` is not null, even if a page is short."""

    failed_jobs: list[FailedJobResponse]
    next: str | None


async def index(call: Call) -> Response:
    """A page of failed jobs, newest first."""
    result = await page_of(call)
    rows = [_row(record, None) for record in result.rows]
    return json_response(FailedJobPageResponse(failed_jobs=rows, next=result.next))


async def show(call: Call) -> Response:
    """One failed job. Its payload is for operators."""
    view = await letter_of(call)
    payload = describe_payload(view) if call.may_read_payloads() else {}
    data = payload.get("payload")
    return json_response(_row(view, payload.get("payload_text") if data is None else data))


def _row(record: JobRecord, data: Any) -> FailedJobResponse:
    letter = describe_dead_letter(record)
    error = letter["error"]
    return FailedJobResponse(
        id=record.id,
        queue_name=record.queue.name,
        job_id=record.id,
        job_data=data,
        error_message=error["message"] if error else letter["reason"],
        failed_at=letter["died_at"],
        attempts=record.attempts,
    )
