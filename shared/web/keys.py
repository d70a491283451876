"""GET /api/v1/queues/{queue}/keys: the busiest keys of a queue."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field
from starlette.responses import Response

from ..observe.describe import describe_keys
from .body import json_response
from .call import Call, page_size
from .responses import ResponseModel


class KeyRateResponse(ResponseModel):
    """The rate of each key."""

    rate: int
    per: float
    burst: int


class KeyResponse(ResponseModel):
    """One key. `backlog`: its jobs that wait until it has room."""

    key: str
    active: int
    backlog: int
    tokens: int | None = Field(description="Left of its rate now; null without a rate.")
    token_at: datetime | None = Field(description="When one more job may start by the rate.")


class KeysResponse(ResponseModel):
    """The keys with most jobs that run or wait for their key. `known`: keys with a state; one that
    has a full bucket and no backlog has none."""

    queue: str
    known: int
    rate: KeyRateResponse | None
    concurrency: int | None
    if_limited: str
    keys: list[KeyResponse]


async def index(call: Call) -> Response:
    """The busiest keys of the queue, and the limits that its queue declares for each."""
    queue, most = call.queue(), page_size(call.query("limit"))
    page = await call.deployment.store.busiest_keys(queue, most)
    return json_response(KeysResponse(**describe_keys(page)))
