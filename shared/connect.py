"""The store that the settings select: Upstash, or on a developer's machine the embedded store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import httpx

from .clock import Clock, SystemClock
from .config.settings import Settings
from .encryption.keyring import Keyring
from .extras import require_package
from .nudge.choose import open_sender
from .store import Store
from .store.client.rest import Rest

if TYPE_CHECKING:
    from .embedded import EmbeddedStore
    from .nudge.nudge import Nudge


def connect(settings: Settings, *, clock: Clock | None = None, nudge: Nudge | None = None) -> Store:
    """A store client. It contacts nothing before its first request. `nudge`: what calls a drain
    here, in place of the configured way. Raises MissingExtra where the settings select the embedded
    store, or have encryption keys, and the packages for it are not installed."""
    if settings.encryption_keys:
        require_package("cryptography", "encryption", "TIDEGATE_ENCRYPTION_KEYS")
    return Store(
        _open(settings, settings.redis_url, settings.redis_token, clock),
        settings.prefix,
        key_locking=settings.key_locking,
        keyring=Keyring(settings.encryption_keys),
        nudges=open_sender(settings, nudge),
    )


def connect_cache(settings: Settings) -> Rest:
    """A client of the cache's database: its own one if the settings name one, else the queues'."""
    if settings.cache_url is not None:
        return _open(settings, settings.cache_url, settings.cache_token, None)
    return _open(settings, settings.redis_url, settings.redis_token, None)


async def erase_rows(
    settings: Settings,
    key: str,
    queues: Sequence[str] | None,
    dry_run: bool,  # noqa: FBT001 - as EraseRows
) -> int:
    """Delete rows of the archive that the settings name, as `declare.default_store.EraseRows`
    says."""
    if settings.archive_url is None:
        return 0
    from .archive.archive import open_archive

    async with open_archive(settings.archive_url, settings.prefix, SystemClock()) as archive:
        return await archive.erase(key, queues, dry_run=dry_run)


def require_embedded() -> None:
    """Raises MissingExtra where the packages of the embedded store are not installed. It imports
    nothing."""
    purpose = "UPSTASH_REDIS_REST_URL is not set, and the embedded store, which is used then,"
    require_package("hiredis", "embedded", purpose)


def _open(settings: Settings, url: str | None, token: str | None, clock: Clock | None) -> Rest:
    if url is not None:
        return Rest(url, token or "", clock=clock)
    require_embedded()
    transport = _EmbeddedTransport(settings)
    return Rest("http://embedded.localhost", "embedded", transport=transport, clock=clock)


class _EmbeddedTransport(httpx.AsyncBaseTransport):
    """A transport that opens the embedded store with its first request, so that an import or a
    `connect` starts no server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opening: asyncio.Task[EmbeddedStore] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        embedded = await asyncio.shield(self._opening)
        return await embedded.transport().handle_async_request(request)

    async def aclose(self) -> None:
        if self._opening is not None:
            await (await self._opening).close()

    async def _open(self) -> EmbeddedStore:
        from .embedded import open_embedded
        from .store.scripts import script_shas

        settings = self._settings
        return await open_embedded(
            data_dir=settings.data_dir,
            volatile=settings.volatile,
            token="embedded",  # noqa: S106 - never leaves this process
            allowed_scripts=script_shas(key_locking=settings.key_locking),
        )
