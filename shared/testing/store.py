"""Embedded stores for tests."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate

import httpx

from ..cache import CacheClient, set_default_client
from ..checks import checked
from ..clock import Clock
from ..declare.default_store import set_default_clock, set_default_store
from ..embedded import open_embedded
from ..embedded.protocol import UpstashProtocol
from ..embedded.transport import EmbeddedTransport
from ..encryption.keyring import KEY_BYTES, EncryptionKey, Keyring
from ..store import Store
from ..store.client.rest import Rest
from ..store.scripts import script_shas
from .arguments import check_loop, note_clock
from .clock import FakeClock, standing_still

TOKEN = "a-token-of-tests"  # noqa: S105 - it opens a store that ends with the test
KEYRING = Keyring([EncryptionKey("test", os.urandom(KEY_BYTES))])
"""A key of this process, so that encrypted queues work in tests as they are declared."""
Wrap = Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]
_open = list[Store]()
"""Stores whose blocks have not ended, the outermost first."""


class _StoreTransport(httpx.AsyncBaseTransport):
    """A transport to an embedded store. Its Date header has the fake time, and its requests take no
    virtual time."""

    def __init__(self, protocol: UpstashProtocol, clock: FakeClock | None) -> None:
        self._inner = EmbeddedTransport(protocol)
        self._clock = clock

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with standing_still():
            response = await self._inner.handle_async_request(request)
        if self._clock is not None:
            response.headers["date"] = formatdate(self._clock.epoch_ms() / 1000, usegmt=True)
        return response


@checked
def store_on(
    protocol: UpstashProtocol,
    *,
    clock: FakeClock | None = None,
    wrap: Wrap | None = None,
    prefix: str = "test",
    machine: Clock | None = None,
    keyring: Keyring = KEYRING,
) -> Store:
    """A client of an open embedded store. `wrap` adds a transport (LossyTransport) between them;
    `machine` is the client's clock if it differs from the store's; `keyring` has its encryption
    keys."""
    transport: httpx.AsyncBaseTransport = _StoreTransport(protocol, clock)
    if wrap is not None:
        transport = wrap(transport)
    rest = Rest("http://embedded.localhost", TOKEN, transport=transport, clock=machine or clock)
    store = Store(rest, prefix, keyring=keyring)
    note_clock(store, clock)
    return store


def known_scripts() -> frozenset[str]:
    """The SHA-1s of Tidegate's scripts: fakeredis runs no others."""
    return script_shas()


@asynccontextmanager
@checked
async def embedded_store(
    *, clock: FakeClock | None = None, wrap: Wrap | None = None, prefix: str = "test"
) -> AsyncIterator[Store]:
    """An empty store, under the strict guard, that ends with the block. It is also the store of
    `job_type.enqueue(…)` and of caches; after a block inside another one that is the outer's
    again."""
    check_loop("embedded_store", clock)
    with standing_still():  # a busy machine's server answers late, in real time
        embedded = await open_embedded(
            volatile=True,
            token=TOKEN,
            strict=True,
            clock=clock.epoch_ms if clock else None,
            allowed_scripts=known_scripts(),
        )
    store = store_on(embedded.protocol, clock=clock, wrap=wrap, prefix=prefix)
    _open.append(store)
    _be_default(store)
    try:
        yield store
    finally:
        _open.remove(store)
        if _open:
            _be_default(_open[-1])
        else:  # a late enqueue meets the store that is closed, and never the environment's database
            set_default_client(None)
            set_default_clock(None)
        with standing_still():
            await store.close()
            await embedded.close()


def _be_default(store: Store) -> None:
    """Enqueues and caches without a store of their own use this one from now on."""
    set_default_store(lambda: store)
    set_default_client(lambda: CacheClient(store.rest, store.prefix))
    set_default_clock(store.clock)
