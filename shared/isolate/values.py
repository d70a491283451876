"""Replies of the store as JSON values: texts that are not UTF-8 come as bytes."""

from __future__ import annotations

import base64
from typing import Any


def pack(value: Any) -> Any:
    """A reply as JSON values."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    return [pack(one) for one in value] if isinstance(value, list) else value


def unpack(value: Any) -> Any:
    """What `pack` was given."""
    if isinstance(value, dict):
        return base64.b64decode(value["base64"])
    return [unpack(one) for one in value] if isinstance(value, list) else value
