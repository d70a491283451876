"""The store's replies: bounded bytes, errors typed by their meaning, decoded values."""

from __future__ import annotations

from binascii import a2b_base64
from typing import Any

import httpx
from pydantic_core import from_json

from ...errors import (
    NoScript,
    QuotaExceeded,
    Refused,
    ScriptError,
    StoreError,
    Throttled,
    TooLarge,
    UnknownOutcome,
)

LARGEST_REPLY = 32 * 2**20

# An Upstash error has a message text and no code of its own. The Redis code of an error inside a
# script stands in the middle of the text, so errors are matched by substring (reference: upstash
# docs, redis/troubleshooting).
_MEANINGS: tuple[tuple[str, type[StoreError]], ...] = (
    ("NOSCRIPT", NoScript),
    ("WRONGPASS", Refused),
    ("NOAUTH", Refused),
    ("NOPERM", Refused),
    ("Unauthorized", Refused),
    ("READONLY", Refused),
    ("max requests limit", QuotaExceeded),
    ("max daily request limit", QuotaExceeded),
    ("capacity quota exceeded", QuotaExceeded),
    ("max request size", TooLarge),
    ("max single record size", TooLarge),
    ("max key size", TooLarge),
    ("LOADING", Throttled),
    ("rate limit", Throttled),
)


async def read(response: httpx.Response) -> bytes:
    """The decompressed body. Raises TooLarge before a hostile body fills the memory."""
    chunks, size = [], 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > LARGEST_REPLY:
            raise TooLarge(f"the store's reply is over {LARGEST_REPLY} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def parse(response: httpx.Response, raw: bytes) -> Any:
    """The JSON document of a reply, its strings still in base64. Raises StoreError for an error
    reply, whatever its status."""
    status = response.status_code
    if 300 <= status < 400:
        raise Refused(
            f"the store answered with a redirect ({status}); check UPSTASH_REDIS_REST_URL"
        )
    try:
        reply = from_json(raw)
    except ValueError:
        reply = None
    if isinstance(reply, dict) and "error" in reply:
        raise _error(str(reply["error"]), status, _seconds(response.headers.get("retry-after")))
    if status in (401, 403):
        raise Refused(f"the store refused the token ({status})")
    if status == 429:
        throttled = Throttled("the store asks to slow down (429)")
        throttled.retry_after = _seconds(response.headers.get("retry-after"))
        raise throttled
    shaped = isinstance(reply, list) or (isinstance(reply, dict) and "result" in reply)
    if status != 200 or not shaped:
        raise UnknownOutcome(f"the store answered {status} without a result: {raw[:80]!r}")
    return reply


def _error(text: str, status: int, retry_after: float | None) -> StoreError:
    error = _error_type(text, status)(text)
    error.retry_after = retry_after
    return error


def _error_type(text: str, status: int) -> type[StoreError]:
    for substring, error_type in _MEANINGS:
        if substring in text:
            return error_type
    if status == 429:
        return Throttled
    return UnknownOutcome if status >= 500 else ScriptError


def result(reply: Any) -> Any:
    """The value of one `{"result": …}` or `{"error": …}`, decoded. Raises StoreError."""
    if isinstance(reply, dict):
        if "error" in reply:
            raise _error(str(reply["error"]), 400, None)
        try:
            return _decode(reply.get("result"))
        except ValueError as error:
            raise UnknownOutcome(f"the store's reply is not base64: {error}") from None
    raise UnknownOutcome("the store's reply has an unknown shape")


def _decode(value: Any) -> Any:
    """Decode base64 element by element, so that one element that is not UTF-8 (it stays bytes)
    leaves the others intact."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return [_text(one) if isinstance(one, str) else _decode(one) for one in value]
    return value


def _text(value: str) -> str | bytes:
    if value == "OK":
        return value
    raw = a2b_base64(value)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None
