"""Settings to a working whole: the store and the registry. The one place of composition."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import httpx

from .clock import Clock
from .errors import ConfigurationError
from .queue import App, Registry
from .settings import Settings
from .store import Store
from .store.rest import Rest

if TYPE_CHECKING:
    from .embedded import Embedded

_stores: WeakKeyDictionary[asyncio.AbstractEventLoop, Store] = WeakKeyDictionary()


def connect(settings: Settings, *, clock: Clock | None = None) -> Store:
    """A store as the settings say: Upstash, or on a developer's machine the embedded one.

    Nothing is contacted before the first request.
    """
    if settings.redis_url is not None:
        rest = Rest(settings.redis_url, settings.redis_token or "", clock=clock)
    else:
        rest = Rest(
            "http://embedded.localhost", "embedded", transport=_Embedded(settings), clock=clock
        )
    return Store(rest, settings.prefix, key_locking=settings.key_locking)


def current_store() -> Store:
    """The store of the running event loop, made from the environment when first asked for."""
    loop = asyncio.get_running_loop()
    store = _stores.get(loop)
    if store is None:
        store = _stores[loop] = connect(Settings.from_env())
    return store


def use_store(store: Store) -> None:
    """Make `store` what `job_type.enqueue(…)` uses in the running event loop."""
    _stores[asyncio.get_running_loop()] = store


def load_registry(settings: Settings) -> Registry:
    """The applications named by TIDEGATE_APPS. Raises ConfigurationError."""
    return Registry(app for reference in settings.apps for app in _apps(reference))


def _apps(reference: str) -> Iterable[App]:
    module_name, colon, attribute = reference.partition(":")
    if not colon:
        raise ConfigurationError(f"TIDEGATE_APPS: {reference!r} is not module:attribute")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"TIDEGATE_APPS: can't import {module_name!r} ({error})"
        ) from error
    except AttributeError:
        raise ConfigurationError(f"TIDEGATE_APPS: {module_name!r} has no {attribute!r}") from None
    apps = [found] if isinstance(found, App) else list(found)
    if not all(isinstance(app, App) for app in apps):
        raise ConfigurationError(
            f"TIDEGATE_APPS: {reference!r} is neither an App nor a list of them"
        )
    return apps


class _Embedded(httpx.AsyncBaseTransport):
    """Opens the embedded store with the first request: importing or composing starts nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opening: asyncio.Task[Embedded] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        embedded = await asyncio.shield(self._opening)
        return await embedded.transport().handle_async_request(request)

    async def aclose(self) -> None:
        if self._opening is not None:
            await (await self._opening).close()

    async def _open(self) -> Embedded:
        from .embedded import open_embedded
        from .store.scripts import names, script

        settings = self._settings
        ours = {script(name, key_locking=settings.key_locking).sha for name in names()}
        return await open_embedded(
            data_dir=settings.data_dir,
            volatile=settings.volatile,
            token="embedded",  # noqa: S106 - never leaves this process
            allowed_scripts=ours,
        )
