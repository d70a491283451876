"""Messages on a byte stream: four bytes of length, then JSON."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

LARGEST = 64 * 2**20
"""Bytes of a message. A payload has at most 4 MiB, a request to the store 10 MB."""
_LENGTH = struct.Struct(">I")
Message = dict[str, Any]


def encode(message: Message) -> bytes:
    """The message as it is sent."""
    text = json.dumps(message, separators=(",", ":")).encode()
    return _LENGTH.pack(len(text)) + text


class Frames:
    """The messages in a stream of bytes that arrives in pieces."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that these bytes complete. Raises ValueError for what is none, and
        RecursionError for JSON that is nested too deep."""
        self._bytes += data
        while len(self._bytes) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._bytes)
            if length > LARGEST:
                raise ValueError("it is no message")
            end = _LENGTH.size + length
            if len(self._bytes) < end:
                return
            message = json.loads(self._bytes[_LENGTH.size : end])
            del self._bytes[:end]
            if not isinstance(message, dict):
                raise ValueError("it is no message")  # noqa: TRY004 - bytes are at fault
            yield message
