"""The store's replies: bounded bytes, errors typed by their meaning, decoded values."""

from __future__ import annotations

from binascii import a2b_base64
from typing import Any

import httpx
from pydantic_core import from_json

from ...errors import (
    LONGEST_RETRY_AFTER,
    MoreShards,
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
MOST_ERROR_TEXT = 4096
NO_STORE = (400, 404, 405, 410, 501)
"""Statuses of a server that knows no such address or method. The store's own have JSON."""

# An Upstash error has a message text and no code of its own. The Redis code of an error inside a
# script stands in the middle of the text, so errors are matched by substring (reference: upstash
# docs, redis/troubleshooting). The lower-case ones match text of any case.
_LIMITS: tuple[tuple[str, type[StoreError]], ...] = (
    ("max requests limit", QuotaExceeded),
    ("max request limit", QuotaExceeded),
    ("max daily ", QuotaExceeded),
    ("max monthly ", QuotaExceeded),
    ("bandwidth limit", QuotaExceeded),
    ("budget exceeded", QuotaExceeded),
    ("quota exceeded", QuotaExceeded),
    ("max concurrent connections", Throttled),
    ("rate limit", Throttled),
    ("too many requests", Throttled),
)
"""Limits of the plan. A gateway may report them with any status and in any form."""
_MEANINGS: tuple[tuple[str, type[StoreError]], ...] = (
    ("NOSCRIPT", NoScript),
    ("TIDEGATE SHARDS", MoreShards),
    ("WRONGPASS", Refused),
    ("NOAUTH", Refused),
    ("NOPERM", Refused),
    ("Unauthorized", Refused),
    ("READONLY", Refused),
    ("LOADING", Throttled),
    ("max request size", TooLarge),
    ("max single record size", TooLarge),
    ("max key size", TooLarge),
    ("max member size", TooLarge),
    *_LIMITS,
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
    """The decoded value of a reply, `{"result": …}` with its strings in base64. Raises StoreError
    for any other, whatever its status."""
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
        text = str(reply["error"])
        error = _error_type(text, status)(text)
    elif status != 200 or not isinstance(reply, dict) or "result" not in reply:
        error = _unshaped_error(raw, status)
    else:
        try:
            return _decode(reply["result"])
        except ValueError as fault:
            raise UnknownOutcome(f"the store's reply is not base64: {fault}") from None
    error.retry_after = _seconds(response.headers.get("retry-after"))
    error.answered = True
    raise error


def _error_type(text: str, status: int) -> type[StoreError]:
    meaning = _first_meaning(text, _MEANINGS)
    if meaning is not None:
        return meaning
    if status == 429:
        return Throttled
    return UnknownOutcome if status >= 500 else ScriptError


def _unshaped_error(raw: bytes, status: int) -> StoreError:
    """The error of a reply that is not the store's JSON: a gateway wrote it."""
    text = raw[:MOST_ERROR_TEXT].decode(errors="replace")
    limit = _first_meaning(text, _LIMITS)
    if limit is not None:
        return limit(f"the store answered {status}: {text[:200]}")
    if status in (401, 403):
        return Refused(f"the store refused the token ({status})")
    if status == 429:
        return Throttled("the store asks to slow down (429)")
    if status in NO_STORE:
        return Refused(f"no store answers at UPSTASH_REDIS_REST_URL; another server said {status}")
    printable = "".join(c if c.isprintable() else " " for c in text[:80])
    shown = " ".join(printable.split()) or "nothing"
    return UnknownOutcome(f"the store answered {status} without a result: {shown}")


def _first_meaning(
    text: str, meanings: tuple[tuple[str, type[StoreError]], ...]
) -> type[StoreError] | None:
    lowered = text.lower()
    return next((m for part, m in meanings if part in text or part in lowered), None)


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
        return min(LONGEST_RETRY_AFTER, max(0.0, float(text))) if text else None
    except ValueError:
        return None
