"""GET and DELETE /api/v1/jobs/{id}: one job as it stands, and its cancellation."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field
from starlette.responses import Response

from ..observe.describe import describe_job
from .body import json_response
from .call import Call
from .problems import Problem, ProblemType
from .responses import JobErrorResponse, ResponseModel

JOB_ENDED = ProblemType("job-ended", 409, "The job has ended")


class ExplanationResponse(ResponseModel):
    """Why a job does not run now. `until` where it is known."""

    code: str
    detail: str
    until: datetime | None = None


class JobResponse(ResponseModel):
    """One job as it stands."""

    id: str
    queue: str
    type: str | None
    state: str
    priority: str
    key: str | None
    attempts: int
    crashes: int
    redrives: int
    progress: float | None
    note: str | None
    created_at: datetime | None = Field(description="Read from the id; null for a caller's own.")
    due_at: datetime | None
    lease_until: datetime | None
    ended_at: datetime | None
    cancel_requested: bool = Field(description="It runs, and its cancellation is requested.")
    result: Any = Field(
        description="null below the role operator, unless the job type declares public_result"
    )
    result_error: str | None
    error: JobErrorResponse | None = Field(description="The last one.")
    errors: list[JobErrorResponse]
    explanation: ExplanationResponse | None


class CancelResponse(ResponseModel):
    """`cancelled`, or still `active`: then its cancellation is requested."""

    id: str
    state: str


async def show(call: Call) -> Response:
    """The job's state, progress, result and errors, and why it is not running."""
    queue, local_id = call.job()
    view = await call.deployment.store.inspect(queue, local_id)
    job_type = queue.types.get(view.type)
    job = describe_job(view)
    if not (call.may_read_payloads() or (job_type and job_type.public_result)):
        job["result"] = None
    return json_response(JobResponse(**job))


async def cancel(call: Call) -> Response:
    """200: it is cancelled. 202: it runs and its cancellation is requested. 409: it had ended."""
    state = await call.deployment.store.cancel(*call.job())
    job_id = call.param("id")
    if state == "cancelled":
        return json_response(CancelResponse(id=job_id, state=state))
    if state == "cancel_requested":
        return json_response(CancelResponse(id=job_id, state="active"), 202)
    raise Problem(JOB_ENDED, f"It is {state} already; there is nothing to cancel.", state=state)
