"""JSON bodies: a request's is read no further than the cap, and nothing of it is echoed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.responses import Response

from ..errors import InvalidRequest
from .problems import SAFE_HEADERS, Problem, ProblemType

LARGEST_BODY = 8 * 2**20
LONGEST_MESSAGE = 200
_OBJECT = "json_object"
"""The name under which a request's state keeps its body."""

MALFORMED = ProblemType("malformed-json", 400, "Malformed JSON")
TOO_DEEP = ProblemType("too-deep", 400, "Nested too deeply")
TOO_LARGE = ProblemType("payload-too-large", 413, "Body too large")
NOT_JSON = ProblemType("unsupported-media-type", 415, "Unsupported media type")


def json_response(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A response with this value as JSON."""
    return Response(
        to_json(value, inf_nan_mode="null"),
        status_code=status,
        headers={**SAFE_HEADERS, **(headers or {})},
        media_type="application/json",
    )


async def read_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object; read once, however often it is asked for. Raises Problem,
    InvalidRequest."""
    known: dict[str, Any] | None = getattr(request.state, _OBJECT, None)
    if known is not None:
        return known
    _check_type(request)
    value = parse(await _read(request))
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be a JSON object.")
    setattr(request.state, _OBJECT, value)
    return value


def _check_type(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise Problem(NOT_JSON, "Send JSON: Content-Type: application/json.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(NOT_JSON, "Send the body as it is, without Content-Encoding.")


async def _read(request: Request) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isdecimal() and len(length) < 20 and int(length) > LARGEST_BODY:
        raise _too_large()
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST_BODY:
            raise _too_large()
        chunks.append(chunk)
    return b"".join(chunks)


def parse(raw: bytes) -> Any:
    """JSON as RFC 8259 has it: no NaN, no lone surrogates, at most 200 levels. Raises Problem."""
    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        reason = str(error)
        if reason.startswith("recursion limit"):
            raise Problem(TOO_DEEP, f"The body is nested too deeply: {reason}.") from None
        raise Problem(MALFORMED, f"The body is not JSON: {reason[:LONGEST_MESSAGE]}.") from None


def _too_large() -> Problem:
    return Problem(TOO_LARGE, f"The body is over {LARGEST_BODY} bytes; send fewer jobs at a time.")
