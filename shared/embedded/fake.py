"""The fakeredis engine, for machines without a server binary. It replies as a real server does.

It is volatile, slower, and has no sandbox: its Lua reaches Python, so it runs only known scripts.
"""

from __future__ import annotations

from collections.abc import Sequence

import fakeredis
from fakeredis import FakeRedisConnection
from redis import exceptions
from redis.exceptions import RedisError

from .engine import Command, EngineError, EngineUnreachable, Reply

_CODES: dict[type[RedisError], str] = {
    exceptions.NoScriptError: "NOSCRIPT",
    exceptions.ExecAbortError: "EXECABORT",
}


class FakeEngine:
    """fakeredis as an `Engine`. Calls run inline, so they need no queue to stay in order."""

    name = f"fakeredis {fakeredis.__version__}"
    volatile = True
    sandboxed = False

    def __init__(self) -> None:
        self._connection = FakeRedisConnection(server=fakeredis.FakeServer(), protocol=2)
        self._closed = False

    async def execute(self, args: Command) -> Reply:
        return self._run(args)

    async def send(self, commands: Sequence[Command]) -> list[Reply]:
        return [self._run(args) for args in commands]

    async def close(self) -> None:
        self._closed = True
        self._connection.disconnect()  # type: ignore[no-untyped-call]

    def _run(self, args: Command) -> Reply:
        if self._closed:
            raise EngineUnreachable("The embedded store is closed; open it again.")
        try:
            self._connection.send_command(*args)  # type: ignore[no-untyped-call]
            return _plain(self._connection.read_response())
        except exceptions.ConnectionError as error:
            raise EngineUnreachable(f"fakeredis does not answer: {error}") from error
        except RedisError as error:
            return _error(error)


def _plain(reply: object) -> Reply:
    if reply is None or isinstance(reply, int):
        return reply
    if isinstance(reply, bytes):
        return reply
    if isinstance(reply, RedisError):
        return _error(reply)
    if isinstance(reply, dict):
        return [_plain(part) for pair in reply.items() for part in pair]
    if isinstance(reply, list | tuple | set):
        return [_plain(part) for part in reply]
    return str(reply).encode()


def _error(error: RedisError) -> EngineError:
    # redis-py removes the code from the text and expresses it as the exception's class.
    text = str(error)
    first, _, _ = text.partition(" ")
    if first.isupper() and len(first) > 1:
        return EngineError(text)
    return EngineError(f"{_CODES.get(type(error), 'ERR')} {text}")
