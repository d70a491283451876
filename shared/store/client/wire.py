"""An HTTP/1.1 client for one host over asyncio's streams: the default transport.

httpx's own transport imports httpcore, h11 and anyio, and makes a TLS context even for plain HTTP.
That is two fifths of a cold start and more than half of the time of a single enqueue (measured:
docs/decisions/0008-our-wire.md). POST requests to one store need none of it. The exceptions are
httpx's, because they separate two cases: no connection, so nothing was sent (`ConnectError`,
`ConnectTimeout`, `PoolTimeout`); and a connection that broke, so the outcome is unknown
(`ReadError`, `ReadTimeout`, `RemoteProtocolError`).
"""

from __future__ import annotations

import asyncio
import re
import selectors
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import httpx

BUFFER = 2**20
"""Bytes of read-ahead. It limits the length of a head, and body pieces to twice this length."""
TRUSTED_IDLE = 1.0
"""Seconds. Connections that were idle for longer are polled before reuse, in case the server closed
them."""
MAX_IDLE = 55.0
"""Seconds. Connections that were idle for longer are closed: load balancers close them after 60."""

MakeContext: TypeAlias = Callable[[], ssl.SSLContext]
_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})(?: [^\r\n]*)?\Z")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]++):([^\r\n\0]*+)\Z")  # its spaces stay
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n\Z")


class Wire(httpx.AsyncBaseTransport):
    """A pool of at most `connections` keep-alive connections. It belongs to one event loop. `tls`
    makes the context of https, at the first connection; None: the authorities that httpx trusts."""

    def __init__(self, connections: int, tls: MakeContext | None = None) -> None:
        self._slots, self._tls = asyncio.Semaphore(connections), tls or _tls
        self._idle: list[_Connection] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the response's head; the caller reads the body. Raises
        httpx.TransportError."""
        timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
        try:
            async with asyncio.timeout(timeouts.get("pool")):
                await self._slots.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("too many requests are under way", request=request) from None
        try:
            connection = self._idle_connection() or await _open(
                request.url, timeouts.get("connect"), self._tls
            )
        except BaseException:
            self._slots.release()
            raise
        connection.timeout = timeouts.get("read")
        try:
            head = await connection.exchange(_encode(request))
        except BaseException:
            self._fail(connection)
            raise
        return httpx.Response(
            head.status, headers=head.fields, stream=_Body(self, connection, head), request=request
        )

    async def aclose(self) -> None:
        self.abort()

    def abort(self) -> None:
        """Close the idle connections at once. Needs no running event loop."""
        while self._idle:
            self._idle.pop().close()

    def _idle_connection(self) -> _Connection | None:
        """The most recently used idle connection that is still open."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open():
                return connection
            connection.close()
        return None

    def _fail(self, connection: _Connection) -> None:
        """A request failed on this connection. What broke it may have broken the idle ones too, so
        a repeat must not meet them."""
        self.abort()
        self._release(connection, reusable=False)

    def _release(self, connection: _Connection, *, reusable: bool) -> None:
        if reusable:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.close()
        self._slots.release()


class _Head(NamedTuple):
    """The head of a response. `length` is None for a chunked body and for one that ends with the
    connection; `keep_alive` allows another request on the connection."""

    status: int
    fields: list[tuple[bytes, bytes]]
    length: int | None
    chunked: bool
    keep_alive: bool


class _Connection:
    """One connection. `timeout` limits each read and write, in seconds."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer
        self.timeout: float | None = None
        self.idle_since = 0.0

    async def exchange(self, request: bytes) -> _Head:
        """Send a request and read the response's head."""
        try:
            async with asyncio.timeout(self.timeout):
                self._writer.write(request)
                await self._writer.drain()
                while True:
                    head = _parse_head(await self.reader.readuntil(b"\r\n\r\n"))
                    if head.status >= 200:  # "100 Continue" and its like precede the response
                        return head
        except _STREAM_ERRORS as error:
            raise _transport_error(error) from error

    async def body(self, head: _Head) -> AsyncIterator[bytes]:
        """The body in pieces, as they arrive."""
        try:
            if head.chunked:
                async for piece in self._chunks():
                    yield piece
            elif head.length is None:
                while piece := await self._read(BUFFER):
                    yield piece
            else:
                async for piece in self._exactly(head.length):
                    yield piece
        except _STREAM_ERRORS as error:
            raise _transport_error(error) from error

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            async with asyncio.timeout(self.timeout):
                line = await self.reader.readuntil(b"\r\n")
            if not (match := _CHUNK.match(line)):
                raise httpx.RemoteProtocolError("the reply's body is not chunked as its head says")
            if not (size := int(match.group(1), 16)):
                break
            async for piece in self._exactly(size):
                yield piece
            await self._skip_line_end()
        async with asyncio.timeout(self.timeout):  # skip the trailers
            while await self.reader.readuntil(b"\r\n") != b"\r\n":
                pass

    async def _skip_line_end(self) -> None:
        async with asyncio.timeout(self.timeout):
            if await self.reader.readexactly(2) != b"\r\n":
                raise httpx.RemoteProtocolError("a chunk of the reply's body has another length")

    async def _exactly(self, size: int) -> AsyncIterator[bytes]:
        while size:
            piece = await self._read(min(size, BUFFER))
            if not piece:
                raise httpx.RemoteProtocolError(f"the reply ended {size} bytes too early")
            size -= len(piece)
            yield piece

    async def _read(self, limit: int) -> bytes:
        async with asyncio.timeout(self.timeout):
            return await self.reader.read(limit)

    def is_open(self) -> bool:
        """True if another request may use the connection.

        A function that was frozen has not seen the server close it, so the socket is polled.
        Unrequested bytes disqualify the connection: they would be read as the next reply.
        """
        unrequested = self.reader._buffer  # type: ignore[attr-defined]  # noqa: SLF001 - no public way
        if unrequested or self.reader.at_eof() or self._writer.is_closing():
            return False
        idle = asyncio.get_running_loop().time() - self.idle_since
        if idle < TRUSTED_IDLE:
            return True
        return idle < MAX_IDLE and not _is_readable(self._writer.get_extra_info("socket"))

    def close(self) -> None:
        """Close at once, and discard unsent bytes."""
        transport = self._writer.transport
        try:
            transport.abort()
        except RuntimeError:  # the event loop is closed: asyncio's own callback would never run
            inner: Any = getattr(getattr(transport, "_ssl_protocol", None), "_transport", transport)
            with suppress(RuntimeError):
                inner._call_connection_lost(None)  # noqa: SLF001 - no public way closes the socket


class _Body(httpx.AsyncByteStream):
    """The body of one response. A complete body returns its connection to the pool."""

    def __init__(self, wire: Wire, connection: _Connection, head: _Head) -> None:
        self._wire, self._connection, self._head = wire, connection, head
        self._complete = self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._connection.body(self._head):
            yield piece
        self._complete = True

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            if self._complete:
                self._wire._release(self._connection, reusable=self._head.keep_alive)  # noqa: SLF001 - same module
            else:
                self._wire._fail(self._connection)  # noqa: SLF001 - same module


_STREAM_ERRORS = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
"""The exceptions of asyncio's streams. TimeoutError is an OSError."""


def _transport_error(error: Exception) -> httpx.TransportError:
    if isinstance(error, TimeoutError):
        return httpx.ReadTimeout("no reply in time")
    if isinstance(error, asyncio.IncompleteReadError):
        return httpx.RemoteProtocolError("the connection was closed before the reply was complete")
    if isinstance(error, asyncio.LimitOverrunError):
        return httpx.RemoteProtocolError(f"the reply's head is over {BUFFER} bytes")
    return httpx.ReadError(str(error) or type(error).__name__)


async def _open(url: httpx.URL, timeout: float | None, tls: MakeContext) -> _Connection:
    secure = url.scheme == "https"
    try:
        async with asyncio.timeout(timeout):
            return _Connection(
                *await asyncio.open_connection(
                    url.host,
                    url.port or (443 if secure else 80),
                    limit=BUFFER,
                    ssl=tls() if secure else None,
                )
            )
    except TimeoutError as error:
        raise httpx.ConnectTimeout("no connection in time") from error
    except OSError as error:
        raise httpx.ConnectError(str(error) or type(error).__name__) from error


@cache
def _tls() -> ssl.SSLContext:
    """The TLS context of httpx with its certificates, loaded once and only for https."""
    return httpx.create_ssl_context(trust_env=False)


def _encode(request: httpx.Request) -> bytes:
    """The request's bytes, head and body in one piece."""
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%b: %b" % field for field in request.headers.raw]
    return b"\r\n".join([*lines, b"", request.content])


def _parse_head(raw: bytes) -> _Head:
    """The head of a response. Raises RemoteProtocolError if it is malformed."""
    line, *rest = raw[:-4].split(b"\r\n")
    status, fields = _STATUS.match(line), [_FIELD.match(one) for one in rest]
    if status is None or None in fields:
        raise httpx.RemoteProtocolError(f"that is no HTTP reply: {raw[:80]!r}")
    pairs = [(one.group(1), one.group(2).strip(b" \t")) for one in fields if one]
    headers: dict[bytes, bytes] = {name.lower(): value for name, value in pairs}
    chunked = b"chunked" in headers.get(b"transfer-encoding", b"").lower()
    declared = headers.get(b"content-length", b"")
    if declared and not (declared.isdigit() and len(declared) < 19):
        raise httpx.RemoteProtocolError(f"content-length is {declared[:40]!r}")
    empty = status.group(2) in (b"204", b"304")
    length = 0 if empty else int(declared) if declared and not chunked else None
    delimited = length is not None or chunked
    persistent = status.group(1) == b"1" and b"close" not in headers.get(b"connection", b"").lower()
    return _Head(
        int(status.group(2)), pairs, length, chunked and not empty, persistent and delimited
    )


def _is_readable(socket: Any) -> bool:
    """True if an idle socket is readable: the server closed it or sent unrequested bytes. Don't
    reuse it."""
    with selectors.DefaultSelector() as selector:
        selector.register(socket, selectors.EVENT_READ)
        return bool(selector.select(0))
