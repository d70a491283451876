"""GET and DELETE /api/v1/jobs/{id}: one job as it stands, and its cancellation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field
from starlette.responses import Response

from ..errors import InvalidRequest
from ..observe.describe import describe_job, describe_listed
from ..observe.explain import Code
from ..observe.listing import STATES, check_state, list_jobs
from .body import json_response
from .call import Call, page_size
from .problems import Problem, ProblemType, problem_response
from .responses import LOCKED, JobErrorResponse, ResponseModel

JOB_ENDED = ProblemType("job-ended", 409, "The job has ended")


class ExplanationResponse(ResponseModel):
    """Why a job does not run now. `until` where it is known."""

    code: Code
    detail: str
    until: datetime | None = None


class ListedJobResponse(ResponseModel):
    """One job of a list."""

    id: str
    queue: str
    type: str | None
    state: str
    priority: str
    key: str | None
    attempts: int
    crashes: int
    redrives: int
    created_at: datetime | None = Field(description="Read from the id; null for a caller's own.")
    waiting_since: datetime | None
    due_at: datetime | None
    lease_until: datetime | None
    ended_at: datetime | None


class JobPageResponse(ResponseModel):
    """A page of the jobs in one state. There is more while `next` is not null, even if a page is
    short."""

    jobs: list[ListedJobResponse]
    next: str | None


class JobRunResponse(ResponseModel):
    """One run of a job's handler. `outcome`: done, retry, dead, release, snooze or cancelled."""

    attempt: int
    began_at: datetime | None
    ended_at: datetime | None
    outcome: str


class LogLineResponse(ResponseModel):
    """One line that a job's handler wrote."""

    at: datetime | None
    attempt: int
    text: str


class JobResponse(ListedJobResponse):
    """One job as it stands."""

    progress: float | None
    note: str | None
    enqueued_by: str | None = Field(
        description="The stored token that enqueued it, by its `subject`; null for any other way."
    )
    cancel_requested: bool = Field(description="It runs, and its cancellation is requested.")
    result: Any = Field(
        description="null without the right payloads, unless the job type declares public_result"
    )
    result_error: str | None
    error: JobErrorResponse | None = Field(description="The last one.")
    errors: list[JobErrorResponse]
    runs: list[JobRunResponse] = Field(description="The last 20 that ended, oldest first.")
    log: list[LogLineResponse] = Field(description="The last lines, oldest first.")
    explanation: ExplanationResponse | None = Field(description="The first of `gates`.")
    gates: list[ExplanationResponse] = Field(
        description="What keeps it from running now, the most specific first."
    )
    encryption_key: str | None = Field(description="The name of the key of an encrypted job.")
    locked: str | None = Field(description=LOCKED)


class CancelResponse(ResponseModel):
    """`cancelled`, or still `active`: then its cancellation is requested."""

    id: str
    state: str


async def index(call: Call) -> Response:
    """A page of the jobs in one state: waiting ones in the order of their claims, ended ones newest
    first, others by their instants."""
    parameters = call.query("state", "queue", "cursor", "limit")
    page = await list_jobs(
        call.deployment.store,
        call.queues(parameters.get("queue")),
        check_state(_required_parameter(parameters, "state")),
        cursor=parameters.get("cursor"),
        most=page_size(parameters),
    )
    rows = [ListedJobResponse(**describe_listed(row)) for row in page.rows]
    return json_response(JobPageResponse(jobs=rows, next=page.next))


def _required_parameter(parameters: Mapping[str, str], name: str) -> str:
    """A parameter without a default. Raises InvalidRequest."""
    if name not in parameters:
        sentence = f"the query needs {name}: one of {', '.join(STATES)}"
        raise InvalidRequest(sentence, [{"field": name, "message": sentence}])
    return parameters[name]


async def show(call: Call) -> Response:
    """The job's state, progress, result and errors, and why it is not running."""
    queue, local_id = call.job()
    decrypt = call.may_read_payloads()
    view = await call.deployment.store.inspect(queue, local_id, decrypt=decrypt)
    call.require_own(view)
    job_type = queue.types.get(view.type)
    job = describe_job(view, call.caller.queues)
    if not (decrypt or (job_type and job_type.public_result)):
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
    ended = Problem(JOB_ENDED, f"It is {state} already; there is nothing to cancel.", state=state)
    return problem_response(ended)  # no failure of the operation: nothing had to be done
