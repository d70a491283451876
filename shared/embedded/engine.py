"""What executes commands locally: one multiplexed connection to a server, or fakeredis.

One rule for errors: what the engine answers, errors included, is returned as a value;
what keeps it from answering is raised (`EngineUnreachable`, `EngineLost`).
Knows no HTTP and no billing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import hiredis

from ..errors import UnknownOutcome, Unreachable

Command: TypeAlias = Sequence[bytes | str]
Reply: TypeAlias = "bytes | int | EngineError | list[Reply] | None"
Address: TypeAlias = Path | tuple[str, int]


class EngineError(Exception):
    """An error reply, as a value: `str(error)` is the text, code first. Never raised by an engine.

    An exception class only because hiredis accepts nothing else as the type of an error reply.
    """


class EngineUnreachable(Unreachable):
    """The local engine does not accept connections; nothing was sent."""


class EngineLost(UnknownOutcome):
    """The connection to the local engine broke with this call in flight: it may have run."""


class Engine(Protocol):
    """Executes commands in the order in which they are given.

    Raises `EngineUnreachable` when nothing was sent and `EngineLost` when the outcome is unknown.
    """

    @property
    def name(self) -> str:
        """What people call it: `valkey 9.1.2`, `fakeredis 2.40.0`."""
        ...

    @property
    def volatile(self) -> bool:
        """Whether its data ends with it."""
        ...

    @property
    def sandboxed(self) -> bool:
        """Whether a script can't reach the host. Where it can, only known scripts may run."""
        ...

    async def execute(self, args: Command) -> Reply:
        """One command, one reply."""
        ...

    async def send(self, commands: Sequence[Command]) -> list[Reply]:
        """Several commands as one contiguous write: nobody else's command comes between.

        Atomic only together with MULTI and EXEC, which the caller includes.
        """
        ...

    async def close(self) -> None:
        """Let go of connections. Calls in flight raise `EngineLost`."""
        ...


class RespEngine:
    """One connection per event loop to a RESP2 server, shared by all callers through pipelining.

    `locate` says where the server is, starting it if need be; it may block for as long as a start
    takes, so it runs in a thread. A lost connection is opened again by the next call.
    """

    sandboxed = True

    def __init__(self, locate: Callable[[], Address], *, name: str, volatile: bool) -> None:
        self.name = name
        self.volatile = volatile
        self._locate = locate
        self._connections: dict[asyncio.AbstractEventLoop, _Connection] = {}
        self._opening: dict[asyncio.AbstractEventLoop, asyncio.Task[_Connection]] = {}

    async def execute(self, args: Command) -> Reply:
        connection = self._connections.get(asyncio.get_running_loop())
        if connection is None or connection.lost:
            connection = await self._open()
        return (await connection.send(_pack(args), 1))[0]

    async def send(self, commands: Sequence[Command]) -> list[Reply]:
        if not commands:
            return []
        connection = self._connections.get(asyncio.get_running_loop())
        if connection is None or connection.lost:
            connection = await self._open()
        packed = b"".join(map(_pack, commands))
        return await connection.send(packed, len(commands))

    async def close(self) -> None:
        here = asyncio.get_running_loop()
        for loop, connection in list(self._connections.items()):
            if loop is here:
                connection.abort()
                await connection.closed
            elif not loop.is_closed():
                loop.call_soon_threadsafe(connection.abort)
        self._connections.clear()

    async def _open(self) -> _Connection:
        # Callers that arrive while the connection opens share the attempt and its failure.
        loop = asyncio.get_running_loop()
        opening = self._opening.get(loop)
        if opening is None:
            opening = self._opening[loop] = loop.create_task(self._connect(loop))
            opening.add_done_callback(lambda _: self._opening.pop(loop, None))
        return await asyncio.shield(opening)

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> _Connection:
        for other in [other for other in self._connections if other.is_closed()]:
            del self._connections[other]
        address = await loop.run_in_executor(None, self._locate)
        try:
            if isinstance(address, Path):
                transport, connection = await loop.create_unix_connection(_Connection, str(address))
            else:
                transport, connection = await loop.create_connection(_Connection, *address)
        except OSError as error:
            raise EngineUnreachable(
                f"The embedded server at {address} does not answer: {error}"
            ) from error
        connection.transport = transport
        self._connections[loop] = connection
        return connection


class _Connection(asyncio.Protocol):
    """Pairs replies with calls in order, and writes what one loop tick collects in one go."""

    def __init__(self) -> None:
        self.lost = False
        self._reader = hiredis.Reader(replyError=EngineError, notEnoughData=_MORE)
        self._waiting: deque[_Batch] = deque()
        self._outbox: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self.closed = self._loop.create_future()
        self.transport: asyncio.Transport | None = None

    def send(self, packed: bytes, expected: int) -> asyncio.Future[list[Reply]]:
        batch = _Batch(self._loop.create_future(), expected)
        self._waiting.append(batch)
        if not self._outbox:
            self._loop.call_soon(self._flush)
        self._outbox.append(packed)
        return batch.future

    def abort(self) -> None:
        self.lost = True
        if self.transport is not None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not _MORE:
            batch = self._waiting[0]
            batch.replies.append(reply)
            if len(batch.replies) == batch.expected:
                self._waiting.popleft()
                # A caller that gave up leaves its place in the line, not its reply.
                if not batch.future.done():
                    batch.future.set_result(batch.replies)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.closed.set_result(None)
        while self._waiting:
            future = self._waiting.popleft().future
            if not future.done():
                future.set_exception(
                    EngineLost(f"The embedded server went away during the call: {exc or 'closed'}")
                )

    def _flush(self) -> None:
        outbox, self._outbox = self._outbox, []
        if self.transport is not None and not self.lost:
            self.transport.write(outbox[0] if len(outbox) == 1 else b"".join(outbox))


class _Batch:
    __slots__ = ("expected", "future", "replies")

    def __init__(self, future: asyncio.Future[list[Reply]], expected: int) -> None:
        self.future = future
        self.expected = expected
        self.replies: list[Reply] = []


def _pack(args: Command) -> bytes:
    # hiredis's stub says a tuple of one element where it means any number.
    packed: bytes = hiredis.pack_command(tuple(args))  # type: ignore[arg-type]
    return packed


_MORE = object()
