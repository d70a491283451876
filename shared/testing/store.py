"""An embedded store for a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate

import httpx

from ..clock import Clock
from ..declare.default_store import set_default_store
from ..embedded import open_embedded
from ..embedded.protocol import UpstashProtocol
from ..embedded.transport import EmbeddedTransport
from ..store import Store
from ..store.client.rest import Rest
from ..store.scripts import names, script
from .clock import FakeClock, standing_still

TOKEN = "a-token-of-tests"  # noqa: S105 - it opens a store that lives as long as a test
Wrap = Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]


class _StoreTransport(httpx.AsyncBaseTransport):
    """The way to an embedded store: its Date header tells the fake time, and waiting for it takes
    none."""

    def __init__(self, protocol: UpstashProtocol, clock: FakeClock | None) -> None:
        self._inner = EmbeddedTransport(protocol)
        self._clock = clock

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with standing_still():
            response = await self._inner.handle_async_request(request)
        if self._clock is not None:
            response.headers["date"] = formatdate(self._clock.epoch_ms() / 1000, usegmt=True)
        return response


def store_on(
    protocol: UpstashProtocol,
    *,
    clock: FakeClock | None = None,
    wrap: Wrap | None = None,
    prefix: str = "test",
    machine: Clock | None = None,
) -> Store:
    """A client of an open embedded store. `wrap` puts a transport (LossyTransport) in between;
    `machine` is the client's own clock where it differs from the store's."""
    transport: httpx.AsyncBaseTransport = _StoreTransport(protocol, clock)
    if wrap is not None:
        transport = wrap(transport)
    rest = Rest("http://embedded.localhost", TOKEN, transport=transport, clock=machine or clock)
    return Store(rest, prefix)


def known_scripts() -> set[str]:
    """SHA-1s of Tidegate's scripts, all that fakeredis may run."""
    return {script(name).sha for name in names()}


@asynccontextmanager
async def embedded_store(
    *, clock: FakeClock | None = None, wrap: Wrap | None = None, prefix: str = "test"
) -> AsyncIterator[Store]:
    """An empty store that ends with the block, under the strict guard. `job_type.enqueue(…)` uses
    it too."""
    embedded = await open_embedded(
        volatile=True,
        token=TOKEN,
        strict=True,
        clock=clock.epoch_ms if clock else None,
        allowed_scripts=known_scripts(),
    )
    store = store_on(embedded.protocol, clock=clock, wrap=wrap, prefix=prefix)
    set_default_store(lambda: store)
    try:
        yield store
    finally:
        await store.close()
        await embedded.close()
