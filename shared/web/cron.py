"""GET and POST /api/cron/drain: the tick of platforms whose scheduler speaks HTTP (Vercel Cron).

Delivery there is best effort and may come twice or overlap: claims are atomic, so two ticks share
the work.
"""

from __future__ import annotations

from pydantic import ConfigDict
from starlette.responses import Response

from .body import INVALID
from .call import Call
from .problems import Problem, ProblemType
from .responses import ResponseModel, json_response

STORE_FAILED = ProblemType("store-unreachable", 503, "The drain lost its store")
MOST_QUEUES = 100


class QueueDrainResponse(ResponseModel):
    """What the drain did on one queue, with a count for each kind of outcome."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="allow")
    stop: str
    claimed: int
    turns: int


class StoreUse(ResponseModel):
    """What the drain asked of the store."""

    requests: int
    billed_commands: int
    bytes: int


class SecondsUse(ResponseModel):
    """The function's time."""

    used: float
    left: float


class ReportAnswer(ResponseModel):
    """What a drain did, and why it stopped."""

    stop: str
    outcomes: dict[str, int]
    claimed: int
    stale: int
    queues: dict[str, QueueDrainResponse]
    store: StoreUse
    seconds: SecondsUse


async def drain(call: Call) -> Response:
    """Drain the due queues, or those named by `?queue=`; answers the report."""
    deployment = call.deployment
    queues = [deployment.registry.queue(name) for name in _names(call)]
    report = await deployment.drain(deployment.budget(call.seconds_left), queues)
    if report.error is not None:
        detail = "The store failed during the drain; its jobs come back when their leases end."
        shown = {k: v for k, v in report.as_dict().items() if k != "error"}
        raise Problem(STORE_FAILED, detail, headers={"Retry-After": "5"}, report=shown)
    return json_response(report.as_dict())


def _names(call: Call) -> list[str]:
    call.query("queue")
    given = call.request.query_params.getlist("queue")
    names = [part.strip() for value in given for part in value.split(",")]
    if len(names) > MOST_QUEUES or not all(names):
        raise Problem(INVALID, "queue: name queues, e.g. ?queue=import,email")
    return list(dict.fromkeys(names))
