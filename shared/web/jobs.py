"""GET and DELETE /api/v1/jobs/{id}: one job as it stands, and its cancellation."""

from __future__ import annotations

from starlette.responses import Response

from ..observe.describe import describe_job
from .call import Call
from .problems import Problem, ProblemType
from .responses import Cancelled, JobResponse, json_response

ENDED = ProblemType("job-ended", 409, "The job has ended")


async def show(call: Call) -> Response:
    """The job's state, progress, result and errors, and why it is not running."""
    view = await call.deployment.store.inspect(*call.job())
    return json_response(JobResponse(**describe_job(view)))


async def cancel(call: Call) -> Response:
    """200: it is cancelled. 202: it runs and its cancellation is requested. 409: it had ended."""
    state = await call.deployment.store.cancel(*call.job())
    job_id = call.param("id")
    if state == "cancelled":
        return json_response(Cancelled(id=job_id, state=state))
    if state == "cancel_requested":
        return json_response(Cancelled(id=job_id, state="active"), 202)
    raise Problem(ENDED, f"It is {state} already; there is nothing to cancel.", state=state)
