"""Connections whose bytes are bounded. What a reader counts is the content of an answer; its
framing (interim answers, headers, sizes of chunks) is bounded here, for every request alike."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpcore
import httpx

from ..errors import Discard

READ = 16 * 1024
"""Bytes that are parsed at a time; then other tasks go on."""
SPARE = 64 * 1024
"""Bytes of one connection that need not be content: the headers, and a little of anything else."""
SHARE = 4
"""Beyond that, one byte in so many may go with content: rows of 20 bytes, each a chunk, pass."""
FRAMED = "the server sends little content in many bytes: long headers or tiny chunks"
_Options = Iterable[Any]


class BoundedTransport(httpx.AsyncHTTPTransport):
    """httpx' transport over bounded connections, each for one request. Raises Discard where a
    server sends too much that is no content."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        # No kept connections: one that was opened for another name of the same address would be
        # reused without a check of its certificate.
        super().__init__(verify=tls, trust_env=False)
        # httpx has no parameter for the connections of its pool.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=100,
            max_keepalive_connections=0,
            network_backend=_Connections(),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        connection = response.extensions.get("network_stream")
        content = response.stream
        if isinstance(connection, BoundedConnection) and isinstance(content, httpx.AsyncByteStream):
            response.stream = _Content(content, connection)
        return response


class BoundedConnection(httpcore.AsyncNetworkStream):
    """One connection. `content`: the bytes of those read that were content."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._read = self.content = 0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._read - self.content > SPARE + self.content // SHARE:
            raise Discard(FRAMED)
        await asyncio.sleep(0)  # bytes that TLS has already are read without a wait
        data = await self._inner.read(min(max_bytes, READ), timeout)
        self._read += len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return BoundedConnection(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Connections(httpcore.AsyncNetworkBackend):
    """Opens bounded connections."""

    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: _Options | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return BoundedConnection(
            await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        )

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Content(httpx.AsyncByteStream):
    """The content of an answer. It tells the connection how much it was."""

    def __init__(self, inner: httpx.AsyncByteStream, connection: BoundedConnection) -> None:
        self._inner, self._connection = inner, connection

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._inner:
            self._connection.content += len(part)
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()
