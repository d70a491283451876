"""The engines that execute commands locally: a connection to a server, or fakeredis.

One rule for errors: an engine returns every reply as a value, error replies included, and raises
`EngineUnreachable` or `EngineLost` if there is no reply. Engines know no HTTP and no billing.
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
"""Seconds without a reply after which a script is assumed to block the server."""


class EngineUnreachable(Unreachable):
    """The local engine does not accept connections; nothing was sent."""


class Engine(Protocol):
    """An executor of commands, in the order of the calls.

    Raises `EngineUnreachable` when nothing was sent and `EngineLost` when the outcome is unknown.
    """

    @property
    def name(self) -> str:
        """Product and version: `valkey 9.1.2`, `fakeredis 2.40.0`."""
        ...

    @property
    def volatile(self) -> bool:
        """True if its data ends with it."""
        ...

    @property
    def sandboxed(self) -> bool:
        """True if a script can't reach the host. Otherwise only known scripts may run."""
        ...

    async def execute(self, args: Command) -> Reply:
        """Execute one command; return its reply."""
        ...

    async def send(self, commands: Sequence[Command]) -> list[Reply]:
        """Execute several commands as one contiguous write: no other caller's command comes between
        them. It is a transaction only if the caller includes MULTI and EXEC.
        """
        ...

    async def close(self) -> None:
        """Close the connections. Calls in flight raise `EngineLost`."""
        ...


class RespEngine:
    """One connection per event loop to a RESP2 server, shared by all callers through pipelining.

    `locate` returns the server's address and starts the server if necessary. It may block until the
    server has started, so it runs in a thread. After a lost connection the next call opens another.
    Without a reply for `patience` seconds the running script is killed; a script that has written
    can't be killed, and blocks the server until it ends.
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
        self._address: Address | None = None
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
        running_loop = asyncio.get_running_loop()
        for loop, connection in list(self._connections.items()):
            if loop is running_loop:
                connection.abort()
                await connection.closed
            elif not loop.is_closed():
                loop.call_soon_threadsafe(connection.abort)
        self._connections.clear()

    async def _open(self) -> Connection:
        # Callers during an open share the attempt and its failure.
        loop = asyncio.get_running_loop()
        opening = self._opening.get(loop)
        if opening is None:
            opening = self._opening[loop] = loop.create_task(self._connect(loop))
            opening.add_done_callback(lambda done: self._on_opened(loop, done))
        return await asyncio.shield(opening)

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> Connection:
        for other in [other for other in self._connections if other.is_closed()]:
            del self._connections[other]
        connection = await self._dial(loop)
        connection.watch(self._patience, self._kill_script)
        self._connections[loop] = connection
        return connection

    def _on_opened(
        self, loop: asyncio.AbstractEventLoop, opening: asyncio.Task[Connection]
    ) -> None:
        self._opening.pop(loop, None)
        if not opening.cancelled():
            opening.exception()  # retrieved, or asyncio would log it if every caller was cancelled

    async def _dial(self, loop: asyncio.AbstractEventLoop) -> Connection:
        try:
            self._address = await loop.run_in_executor(None, self._locate)
        except ConfigurationError as error:
            raise EngineUnreachable(str(error)) from error
        return await self._reach(loop, self._address)

    async def _reach(self, loop: asyncio.AbstractEventLoop, address: Address) -> Connection:
        try:
            if isinstance(address, Path):
                transport, connection = await loop.create_unix_connection(Connection, str(address))
            else:
                transport, connection = await loop.create_connection(Connection, *address)
        except OSError as error:
            raise EngineUnreachable(f"The embedded server does not answer: {error}") from error
        connection.transport = transport
        return connection

    def _kill_script(self) -> None:
        killing = asyncio.get_running_loop().create_task(self._send_kill())
        self._killing.add(killing)
        killing.add_done_callback(self._killing.discard)

    async def _send_kill(self) -> None:
        # On a separate connection: the shared one waits for the script. To the address as it was:
        # a server that a script blocks is not one to locate.
        if self._address is None:
            return
        with suppress(Unreachable, UnknownOutcome):
            connection = await self._reach(asyncio.get_running_loop(), self._address)
            try:
                await connection.send(pack(("SCRIPT", "KILL")), 1)
            finally:
                connection.abort()
