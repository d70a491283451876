"""What the demonstration's store holds, byte by byte, read past its protocol."""

from __future__ import annotations

from typing import Any

from shared.cli.servers import LocalStore

_READ = {
    b"string": ("GET",),
    b"hash": ("HGETALL",),
    b"list": ("LRANGE", "0", "-1"),
    b"set": ("SMEMBERS",),
    b"zset": ("ZRANGE", "0", "-1"),
    b"stream": ("XRANGE", "-", "+"),
}
"""Kind of a key -> the command that reads all of it, without the key."""


async def dump_store(local: LocalStore) -> bytes:
    """Every key and value. Read from the server behind the meter, which counts nothing."""
    execute = local.embedded.engine.execute
    names = await execute(("KEYS", "*"))
    parts: list[Any] = [names]
    for name in names if isinstance(names, list) else []:
        if isinstance(name, bytes):
            kind = await execute(("TYPE", name))
            if kind == b"none":  # the jobs that run meanwhile have emptied it
                continue
            command, *rest = _READ[kind if isinstance(kind, bytes) else b""]
            parts.append(await execute((command, name, *rest)))
    return b"\n".join(_values(parts))


def _values(reply: Any) -> list[bytes]:
    if isinstance(reply, list):
        return [value for part in reply for value in _values(part)]
    return [reply if isinstance(reply, bytes) else str(reply).encode()]
