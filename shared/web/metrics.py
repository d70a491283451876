"""GET /metrics: the numbers of all queues for Prometheus."""

from __future__ import annotations

from starlette.responses import Response

from .call import Call
from .problems import SAFE_HEADERS

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text format."""


async def show(call: Call) -> Response:
    """The metrics of all queues in Prometheus' text format."""
    from ..observe.exposition import write  # noqa: PLC0415 - cold start: rarely asked for
    from ..observe.metrics import families  # noqa: PLC0415 - as above

    stats = await call.deployment.store.overview(call.queues())
    return Response(write(families(stats)), headers=SAFE_HEADERS, media_type=MEDIA_TYPE)
