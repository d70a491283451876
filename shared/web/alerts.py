"""GET /api/v1/alerts: the alerts that fire now."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field
from starlette.responses import Response

from .body import json_response
from .call import Call
from .responses import ResponseModel


class AlertResponse(ResponseModel):
    """An alert that fires. `queue` is null for one of the whole deployment."""

    rule: str
    queue: str | None
    value: float
    since: datetime
    detail: str


class AlertsResponse(ResponseModel):
    """Every alert that fires, by rule and queue."""

    evaluated_at: datetime | None = Field(
        description="When alerts were last evaluated; null: not in the last 30 days."
    )
    alerts: list[AlertResponse]


async def index(call: Call) -> Response:
    """The alerts that fire now, as the last evaluation left them: those of the caller's queues,
    and to a caller of all queues those of the deployment."""
    from ..alerts.describe import describe_alerts  # noqa: PLC0415 - cold start: rarely asked for
    from ..alerts.state_json import read_state  # noqa: PLC0415 - as above

    state = read_state(await call.deployment.store.alerts.read())
    described = describe_alerts(state)
    reached = call.caller.queues
    if reached is not None:
        described["alerts"] = [one for one in described["alerts"] if one["queue"] in reached]
    return json_response(AlertsResponse(**described))
