"""JSON bodies: a request's is read no further than the cap, and nothing of it is echoed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.responses import Response

from ..errors import InvalidRequest
from .problems import SAFE_HEADERS, Problem, ProblemType

LARGEST_BODY = 8 * 2**20
LONGEST_WAIT = 30.0
"""Seconds for which a body is awaited. A function host has it before it calls; a server has not."""
LONGEST_MESSAGE = 200
MOST_VALUES = 250_000
"""Of one body, names not counted. The process handles nothing else while it makes objects of them
and checks those."""
_STRING = re.compile(rb'"[^"\\]*+(?:\\.?[^"\\]*+)*+(?:"|\Z)', re.DOTALL)
_OBJECT = "json_object"
"""The name under which a request's state keeps its body."""

MALFORMED = ProblemType("malformed-json", 400, "Malformed JSON")
TOO_DEEP = ProblemType("too-deep", 400, "Nested too deeply")
TOO_MANY = ProblemType("too-many-values", 413, "Too many values")
TOO_SLOW = ProblemType("body-too-slow", 408, "Body too slow")
TOO_LARGE = ProblemType("payload-too-large", 413, "Body too large")
NOT_JSON = ProblemType("unsupported-media-type", 415, "Unsupported media type")


def json_response(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A response with this value as JSON; bytes are JSON already."""
    return Response(
        value if isinstance(value, bytes) else to_json(value, inf_nan_mode="null"),
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
    try:
        async with asyncio.timeout(LONGEST_WAIT):
            raw = await _read(request)
    except TimeoutError:
        raise Problem(TOO_SLOW, f"The body took over {LONGEST_WAIT:g} seconds.") from None
    value = parse(raw)
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
    """JSON as RFC 8259 has it: no NaN, no lone surrogates, at most 200 levels and MOST_VALUES
    values. Raises Problem."""
    if most_values(raw) > MOST_VALUES and most_values(without_texts(raw)) > MOST_VALUES:
        raise Problem(TOO_MANY, f"The body has over {MOST_VALUES} values; send fewer at a time.")
    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        reason = str(error)
        if reason.startswith("recursion limit"):
            raise Problem(TOO_DEEP, f"The body is nested too deeply: {reason}.") from None
        raise Problem(MALFORMED, f"The body is not JSON: {reason[:LONGEST_MESSAGE]}.") from None


def most_values(raw: bytes) -> int:
    """The number of values in a JSON text, or more where texts hold its marks. It parses
    nothing."""
    return 1 + raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def without_texts(raw: bytes) -> bytes:
    """The JSON text with its strings left out; an open one to the end. It looks at each byte
    once."""
    return _STRING.sub(b"", raw)


def _too_large() -> Problem:
    return Problem(TOO_LARGE, f"The body is over {LARGEST_BODY} bytes; send fewer jobs at a time.")
