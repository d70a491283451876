"""GET and POST /api/cron/drain: the tick of platforms whose scheduler speaks HTTP (Vercel Cron).

Delivery there is best effort and may come twice or overlap: claims are atomic, so two ticks share
the work.
"""

from __future__ import annotations

from pydantic import ConfigDict
from starlette.responses import Response

from ..budget import Budget
from ..drain import Drain
from .answers import Answer, respond
from .body import INVALID
from .call import Call
from .problems import Kind, Problem

STORE_FAILED = Kind("store-unreachable", 503, "The drain lost its store")
MOST_QUEUES = 100


class LaneAnswer(Answer):
    """What the drain did on one queue, with a count for each kind of outcome."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="allow")
    stop: str
    claimed: int
    turns: int


class StoreUse(Answer):
    """What the drain asked of the store."""

    requests: int
    billed_commands: int
    bytes: int


class SecondsUse(Answer):
    """The function's time."""

    used: float
    left: float


class ReportAnswer(Answer):
    """What a drain did, and why it stopped."""

    stop: str
    outcomes: dict[str, int]
    claimed: int
    late: int
    queues: dict[str, LaneAnswer]
    store: StoreUse
    seconds: SecondsUse


async def drain(call: Call) -> Response:
    """Drain what is due, or the queues named by `?queue=`; answers the report."""
    site = call.site
    queues = [site.registry.queue(name) for name in _names(call)]
    left = site.seconds_left(call.request) if site.seconds_left else site.settings.max_duration
    budget = Budget.of(left, clock=site.clock)
    drain = Drain(
        site.store(),
        site.registry,
        budget,
        patience=site.settings.patience,
        batch=site.settings.batch,
        sweep_every=site.settings.sweep_every,
    )
    with site.stopping.watch(drain):
        report = await (drain.run(queues) if queues else drain.tick())
    site.measure(report)
    if report.error is not None:
        told = "The store failed during the drain; its jobs come back when their leases end."
        shown = {k: v for k, v in report.as_dict().items() if k != "error"}
        raise Problem(STORE_FAILED, told, headers={"Retry-After": "5"}, report=shown)
    return respond(report.as_dict())


def _names(call: Call) -> list[str]:
    call.query("queue")
    given = call.request.query_params.getlist("queue")
    names = [part.strip() for value in given for part in value.split(",")]
    if len(names) > MOST_QUEUES or not all(names):
        raise Problem(INVALID, "queue: name queues, e.g. ?queue=import,email")
    return list(dict.fromkeys(names))
