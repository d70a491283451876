"""What the API says about itself: that it is alive, and its document."""

from __future__ import annotations

import functools

from pydantic_core import to_json
from starlette.responses import Response

from .body import json_response
from .call import Call
from .responses import ResponseModel
from .routes import ROUTES


class LivenessResponse(ResponseModel):
    """The process answers. Nothing else is checked."""

    status: str


class OpenApiResponse(ResponseModel):
    """An OpenAPI 3.1 document."""

    openapi: str


async def healthz(_call: Call) -> Response:
    """Liveness of the process; the store is not contacted."""
    return json_response(LivenessResponse(status="ok"))


async def openapi(_call: Call) -> Response:
    """The OpenAPI document of this API."""
    return json_response(_document())


@functools.cache
def _document() -> bytes:
    """Made once a process: any caller may request it."""
    from .openapi import document  # noqa: PLC0415 - rarely needed, and builds every schema

    return to_json(document(ROUTES))
