"""JSON text of parsed values, and how many bytes a text takes."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import to_json


def to_text(value: Any) -> str:
    """A parsed value as JSON text: integers, 1.0, {} and [] as they came. Raises ValueError."""
    text = to_json(value).decode()
    if "Infinity" in text:  # 1e400 reads as infinity; a string may just hold the word
        json.dumps(value, allow_nan=False)
    return text


def byte_length(text: str) -> int:
    """The bytes of the text as it is sent and stored. An ASCII text is not encoded for that."""
    return len(text) if text.isascii() else len(text.encode())


def canonical(value: Any) -> bytes:
    """The one text of a value, whatever the order of its names. Raises ValueError (1e400)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
