"""What executes commands locally: one multiplexed connection to a server, or fakeredis.

One rule for errors: what the engine answers, errors included, is returned as a value;
what keeps it from answering is raised (`EngineUnreachable`, `EngineLost`).
Knows no HTTP and no billing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeAlias

from ..errors import ConfigurationError, UnknownOutcome, Unreachable
from .connection import Command, Connection, EngineError, EngineLost, Reply, pack

__all__ = [
    "Address",
    "Command",
    "Engine",
    "EngineError",
    "EngineLost",
    "EngineUnreachable",
    "Reply",
    "RespEngine",
]

Address: TypeAlias = Path | tuple[str, int]

SCRIPT_SECONDS = 5.0
"""Without a reply for so long, the server is taken to be stuck in a script."""


class EngineUnreachable(Unreachable):
    """The local engine does not accept connections; nothing was sent."""


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
    When no reply comes for `patience` seconds, a script that runs away is killed; one that has
    written can't be, and keeps the server busy.
    """

    sandboxed = True

    def __init__(
        self,
        locate: Callable[[], Address],
        *,
        name: str,
        volatile: bool,
        patience: float = SCRIPT_SECONDS,
    ) -> None:
        self.name = name
        self.volatile = volatile
        self._locate = locate
        self._patience = patience
        self._killing: set[asyncio.Task[None]] = set()
        self._connections: dict[asyncio.AbstractEventLoop, Connection] = {}
        self._opening: dict[asyncio.AbstractEventLoop, asyncio.Task[Connection]] = {}

    async def execute(self, args: Command) -> Reply:
        connection = self._connections.get(asyncio.get_running_loop())
        if connection is None or connection.lost:
            connection = await self._open()
        return (await connection.send(pack(args), 1))[0]

    async def send(self, commands: Sequence[Command]) -> list[Reply]:
        if not commands:
            return []
        connection = self._connections.get(asyncio.get_running_loop())
        if connection is None or connection.lost:
            connection = await self._open()
        packed = b"".join(map(pack, commands))
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

    async def _open(self) -> Connection:
        # Callers that arrive while the connection opens share the attempt and its failure.
        loop = asyncio.get_running_loop()
        opening = self._opening.get(loop)
        if opening is None:
            opening = self._opening[loop] = loop.create_task(self._connect(loop))
            opening.add_done_callback(lambda done: self._opened(loop, done))
        return await asyncio.shield(opening)

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> Connection:
        for other in [other for other in self._connections if other.is_closed()]:
            del self._connections[other]
        connection = await self._dial(loop)
        connection.watch(self._patience, self._kill_script)
        self._connections[loop] = connection
        return connection

    def _opened(self, loop: asyncio.AbstractEventLoop, opening: asyncio.Task[Connection]) -> None:
        self._opening.pop(loop, None)
        if not opening.cancelled():
            opening.exception()  # seen, also when every caller has given up

    async def _dial(self, loop: asyncio.AbstractEventLoop) -> Connection:
        try:
            address = await loop.run_in_executor(None, self._locate)
            if isinstance(address, Path):
                transport, connection = await loop.create_unix_connection(Connection, str(address))
            else:
                transport, connection = await loop.create_connection(Connection, *address)
        except ConfigurationError as error:
            raise EngineUnreachable(str(error)) from error
        except OSError as error:
            raise EngineUnreachable(f"The embedded server does not answer: {error}") from error
        connection.transport = transport
        return connection

    def _kill_script(self) -> None:
        killing = asyncio.get_running_loop().create_task(self._send_kill())
        self._killing.add(killing)
        killing.add_done_callback(self._killing.discard)

    async def _send_kill(self) -> None:
        # On a connection of its own: the shared one is what waits for the script.
        with suppress(Unreachable, UnknownOutcome):
            connection = await self._dial(asyncio.get_running_loop())
            try:
                await connection.send(pack(("SCRIPT", "KILL")), 1)
            finally:
                connection.abort()
