"""HTTP servers on a developer's machine: on loopback only, as context managers."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..embedded import EmbeddedStore, open_embedded
from ..errors import ConfigurationError
from ..extras import packages_of
from ..store import keys
from ..store.compose import verbs
from ..store.scripts import script

with packages_of("embedded", "a local server"):
    import uvicorn

    from ..embedded.server import server

if TYPE_CHECKING:
    from starlette.applications import Starlette

HOST = "127.0.0.1"
GRACE = 5
"""Seconds for the requests under way once a server stops."""


@dataclass(frozen=True, slots=True)
class LocalStore:
    """The embedded store and the address of its REST protocol."""

    embedded: EmbeddedStore
    url: str
    token: str
    prefix: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make any Upstash client use this store."""
        return {"UPSTASH_REDIS_REST_URL": self.url, "UPSTASH_REDIS_REST_TOKEN": self.token}

    async def due(self) -> list[str]:
        """The agenda's members that are due now: queues, and schedules that are not paused. Asks
        the server itself, so the meter counts nothing."""
        now, agenda = round(time.time() * 1000), keys.agenda(self.prefix)
        due = await self._members(agenda, "-inf", str(now))
        never = await self._members(agenda, str(int(keys.NEVER)), "+inf") if due else []
        return [name for name in due if name.partition("#")[0] not in never]

    async def _members(self, agenda: str, least: str, most: str) -> list[str]:
        reply = await self.embedded.engine.execute(("ZRANGEBYSCORE", agenda, least, most))
        names = reply if isinstance(reply, list) else []
        return [name.decode() for name in names if isinstance(name, bytes)]


@asynccontextmanager
async def local_store(
    *,
    data_dir: Path,
    volatile: bool,
    port: int,
    token: str,
    prefix: str = "tidegate",
    option: str = "--port",
) -> AsyncIterator[LocalStore]:
    """The embedded store, served on `port` (0: any free port) during the block. `option`: what
    chooses the port, for the error where it is in use."""
    variants = (script(name, key_locking=locks) for name in verbs() for locks in (True, False))
    embedded = await open_embedded(
        data_dir=data_dir,
        volatile=volatile,
        token=token,
        allowed_scripts={variant.sha for variant in variants},
    )
    try:
        config = server(embedded.protocol, host=HOST, port=port).config
        async with serving(config, port=port, option=option) as url:
            yield LocalStore(embedded, url, token, prefix)
    finally:
        await embedded.close()


def describe_store(embedded: EmbeddedStore) -> str:
    """The engine and the place of the data, as a sentence."""
    if embedded.volatile or embedded.local is None:
        return f"Embedded store: {embedded.engine_name}, volatile: its jobs end with this process."
    return f"Embedded store: {embedded.engine_name} in {embedded.local.data_dir}"


@asynccontextmanager
async def api(*, port: int, app: Starlette | None = None) -> AsyncIterator[str]:
    """The HTTP API of the environment's deployment, served during the block. Yields its address."""
    from ..hosts.asgi import create_api

    served = app or create_api()
    config = uvicorn.Config(
        served,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=GRACE,
    )
    async with serving(config, port=port) as url:
        try:
            yield url
        finally:
            served.state.service.stop()  # a request that drains would outlast the grace


@asynccontextmanager
async def serving(
    config: uvicorn.Config, *, port: int, option: str = "--port"
) -> AsyncIterator[str]:
    """A server that runs during the block. Yields its address. `option`: what chooses the port.

    Raises ConfigurationError if the port is in use or the application does not start.
    """
    listener = _listen(port, option)
    running = _Server(config)
    task = asyncio.create_task(running.serve(sockets=[listener]))
    ready = asyncio.create_task(running.ready.wait())
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if task.done():
        await task
    try:
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        running.should_exit = True
        await task


@contextmanager
def environment(values: Mapping[str, str | None]) -> Generator[None, None, None]:
    """Set environment variables for the block; unset those that are None."""
    before = {name: os.environ.get(name) for name in values}
    try:
        _set(values)
        yield
    finally:
        _set(before)


class _Server(uvicorn.Server):
    """uvicorn inside a larger process: it has a `ready` event and installs no signal handlers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets=sockets)
        except SystemExit:  # uvicorn exits when the lifespan fails, and has logged the reason
            raise ConfigurationError(
                "the API did not start; the log above has the reason"
            ) from None
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _listen(port: int, option: str) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"can't listen on {HOST}:{port} ({error.strerror}); choose another port with {option}, "
            "0 for any"
        ) from None
    return listener


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
