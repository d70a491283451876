"""HTTP servers of a developer's machine, on loopback only, for as long as a block lasts."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from ..embedded import Embedded, open_embedded
from ..embedded.server import server
from ..errors import ConfigurationError
from ..store.scripts import names, script

HOST = "127.0.0.1"
GRACE = 5
"""Seconds that requests under way may take to end once a server is told to stop."""


@dataclass(frozen=True, slots=True)
class LocalStore:
    """The embedded store and the address of its REST protocol."""

    embedded: Embedded
    url: str
    token: str

    @property
    def environment(self) -> dict[str, str]:
        """What makes any process, in any language, use this store."""
        return {"UPSTASH_REDIS_REST_URL": self.url, "UPSTASH_REDIS_REST_TOKEN": self.token}


@asynccontextmanager
async def local_store(
    *, data_dir: Path, volatile: bool, port: int, token: str
) -> AsyncIterator[LocalStore]:
    """The embedded store, served on `port` (0: any free one). Ends with the block."""
    ours = {script(name, key_locking=locking).sha for name in names() for locking in (True, False)}
    embedded = await open_embedded(
        data_dir=data_dir, volatile=volatile, token=token, allowed_scripts=ours
    )
    try:
        config = server(embedded.protocol, host=HOST, port=port).config
        async with serving(config, port=port) as url:
            yield LocalStore(embedded, url, token)
    finally:
        await embedded.close()


@asynccontextmanager
async def api(*, port: int) -> AsyncIterator[str]:
    """The deployment's own HTTP function, `functions.api:app`; yields its address."""
    config = uvicorn.Config(
        "functions.api:app",
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=GRACE,
    )
    async with serving(config, port=port) as url:
        yield url


@asynccontextmanager
async def serving(config: uvicorn.Config, *, port: int) -> AsyncIterator[str]:
    """A server that runs during the block. Raises ConfigurationError when the port is taken or the
    application does not start."""
    listening = _listen(port)
    running = _Server(config)
    task = asyncio.create_task(running.serve(sockets=[listening]))
    ready = asyncio.create_task(running.ready.wait())
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if task.done():
        await task
    try:
        yield f"http://{HOST}:{listening.getsockname()[1]}"
    finally:
        running.should_exit = True
        await task


@contextmanager
def environment(values: Mapping[str, str | None]) -> Generator[None, None, None]:
    """Set variables of this process for the block, and take away those that are None."""
    before = {name: os.environ.get(name) for name in values}
    try:
        _set(values)
        yield
    finally:
        _set(before)


@contextmanager
def stop_signals() -> Generator[asyncio.Event, None, None]:
    """An event that Ctrl-C or SIGTERM sets; neither ends the process by itself meanwhile."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


class _Server(uvicorn.Server):
    """uvicorn as a part of a process: it says when it is ready and leaves signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets=sockets)
        except SystemExit:  # uvicorn's way to say that the lifespan failed; it has logged why
            raise ConfigurationError("the API did not start; its log above says why") from None
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"can't listen on {HOST}:{port} ({error.strerror}); choose another port, or 0 for any"
        ) from None
    return listening


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
