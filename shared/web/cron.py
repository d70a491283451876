"""GET and POST /api/cron/drain and /api/cron/maintain, where the scheduler speaks HTTP (Vercel).

Vercel may call them twice, or before the last call has ended: claims are atomic, so two ticks share
the work, and two runs of maintain write one row for each death.
"""

from __future__ import annotations

from pydantic import ConfigDict, Field
from starlette.responses import Response

from ..declare.queue import Queue
from ..drain.report import StopReason
from ..errors import InvalidRequest
from ..nudge.hops import HEADER, read_origin
from .body import json_response
from .call import Call
from .problems import Problem, ProblemType
from .responses import ResponseModel

FAILURES = {
    StopReason.STORE: ProblemType(
        "store-unreachable",
        503,
        "The drain lost its store",
        "The store failed during the drain; its jobs come back when their leases end.",
        5,
    ),
    StopReason.ERROR: ProblemType(
        "drain-bug",
        500,
        "A bug ended a part of the drain",
        "The report names the queue and the log has the traceback: report it. The other queues "
        "went on; the jobs of this one come back when their leases end.",
    ),
}
"""How a drain is answered that failed, by its stop reason."""
MAINTAIN_FAILED = ProblemType("maintain-failed", 503, "The archive was not maintained")
MOST_QUEUES = 100


class QueueDrainResponse(ResponseModel):
    """One queue's part of the report, with a count for each kind of outcome."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="allow")
    stop: str
    claimed: int
    turns: int


class StoreUseResponse(ResponseModel):
    """The drain's requests to the store."""

    requests: int
    billed_commands: int
    bytes: int


class SecondsUseResponse(ResponseModel):
    """The function's time."""

    used: float
    left: float


class ReportResponse(ResponseModel):
    """The report of a drain: its outcomes, its costs and why it stopped."""

    stop: str
    outcomes: dict[str, int]
    claimed: int
    stale: int
    queues: dict[str, QueueDrainResponse]
    store: StoreUseResponse
    seconds: SecondsUseResponse
    continued: list[str] = Field(
        [], description="The queues for whose jobs it has called another drain; left out if none."
    )
    loop_lag: float = Field(
        0.0,
        description="The longest that a handler kept the event loop from running, in seconds; left "
        "out below 5.",
    )


class MaintainReportResponse(ResponseModel):
    """The report of a maintain run. `stop`: "done", "budget" (there is more) or "off" (no
    archive)."""

    stop: str
    archived: int = Field(description="New rows of the archive.")
    removed: int = Field(description="Dead letters that left Redis.")
    refused: int = Field(description="Dead letters that Postgres does not take; they stay.")
    deleted: int = Field(description="Rows that were older than they are kept.")
    billed_commands: int
    seconds: float


async def maintain(call: Call) -> Response:
    """Move dead letters into the archive and delete its old rows; answers the report."""
    call.query()
    deployment = call.deployment
    report = await deployment.maintain(deployment.budget(call.seconds_left()))
    members = {name: value for name, value in report.as_dict().items() if name != "error"}
    if report.error is not None:
        detail = "The archive or the store failed; what was not archived stays in Redis."
        raise Problem(MAINTAIN_FAILED, detail, headers={"Retry-After": "5"}, report=members)
    return json_response(MaintainReportResponse(**members))


async def drain(call: Call) -> Response:
    """Drain the due queues, or those named by `?queue=`; answers the report."""
    deployment = call.deployment
    names = _names(call)
    queues: list[Queue] = [call.queue_of(name) for name in names]
    reached = None if call.caller.queues is None else call.queues()
    if not names and reached == []:
        call.caller.require_queue(None)  # all that it was made for is declared no more
    origin = read_origin(call.request.headers.get(HEADER))
    budget = deployment.budget(call.seconds_left())
    report = await deployment.drain(budget, queues, origin=origin, among=reached)
    failure = FAILURES.get(report.stop)
    if failure is None:
        return json_response(report.as_dict())
    members = {k: v for k, v in report.as_dict().items() if k != "error"}
    headers = {"Retry-After": f"{failure.retry_after:.0f}"} if failure.retry_after else {}
    raise Problem(failure, "", headers=headers, report=members)


def _names(call: Call) -> list[str]:
    call.query("queue")
    values = call.request.query_params.getlist("queue")
    names = [part.strip() for value in values for part in value.split(",")]
    if len(names) > MOST_QUEUES or not all(names):
        raise InvalidRequest("queue: name queues, e.g. ?queue=import,email")
    return list(dict.fromkeys(names))
