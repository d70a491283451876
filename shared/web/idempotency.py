"""The `Idempotency-Key` header."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from ..declare.idempotency import LONGEST_KEY, Key, is_key
from ..errors import InvalidRequest


def read_key(request: Request, body: dict[str, Any]) -> Key | None:
    """The request's key, quoted as the IETF draft has it or bare. Raises InvalidRequest."""
    texts = request.headers.getlist("idempotency-key")
    if not texts:
        return None
    if len(texts) > 1:
        raise InvalidRequest(
            "Idempotency-Key: the request has the header more than once; give one."
        )
    text = texts[0]
    quoted = len(text) >= 2 and text.startswith('"') and text.endswith('"')
    name = text[1:-1] if quoted else text
    if not is_key(name):
        raise InvalidRequest(f"Idempotency-Key: 1 to {LONGEST_KEY} visible ASCII characters.")
    return Key.of(name, body)
