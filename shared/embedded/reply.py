"""The bodies of the Upstash REST API's responses, from engine replies: JSON or RESP2."""

from __future__ import annotations

import json
from binascii import b2a_base64
from typing import TypeAlias

from .engine import EngineError, Reply

Json: TypeAlias = "str | int | list[Json] | dict[str, Json] | None"

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def dump(document: object) -> bytes:
    """Compact UTF-8 JSON."""
    return _encode(document).encode()


def item(reply: Reply, *, base64: bool) -> dict[str, Json]:
    """One reply as Upstash wraps it: `{"result": …}` or `{"error": text}`."""
    if isinstance(reply, EngineError):
        return {"error": str(reply)}
    return {"result": _base64(reply) if base64 else _text(reply)}


def resp2(reply: Reply) -> bytes:
    """One reply as RESP2 bytes. Statuses other than OK become bulk strings, because the engine's
    reader does not distinguish the two."""
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, EngineError):
        # An error is one line: a line break in its text would begin another reply.
        line = str(reply).replace("\r", " ").replace("\n", " ")
        return f"-{line}\r\n".encode()
    if isinstance(reply, list):
        return b"*%d\r\n%b" % (len(reply), b"".join(map(resp2, reply)))
    return b"+OK\r\n" if reply == b"OK" else b"$%d\r\n%b\r\n" % (len(reply), reply)


def _text(reply: Reply) -> Json:
    if isinstance(reply, bytes):
        return reply.decode("utf-8", "replace")
    if isinstance(reply, list):
        return [_text(part) for part in reply]
    return {"error": str(reply)} if isinstance(reply, EngineError) else reply


def _base64(reply: Reply) -> Json:
    if isinstance(reply, bytes):
        return "OK" if reply == b"OK" else b2a_base64(reply, newline=False).decode("ascii")
    if isinstance(reply, list):
        return [_base64(part) for part in reply]
    return {"error": str(reply)} if isinstance(reply, EngineError) else reply
