"""HTTP/1.1 to one host over asyncio's streams: what carries a request when nobody swaps the
transport.

httpx's own transport loads httpcore, h11 and anyio and makes a TLS context even for plain HTTP: two
fifths of a cold start, and more than half of what a lone enqueue takes (measured:
docs/decisions/0008-our-wire.md). One POST at a time to one store needs none of that. Errors are
httpx's, so that a connection that never stood (`ConnectError`, `ConnectTimeout`, `PoolTimeout`:
nothing was sent) stays apart from one that broke (`ReadError`, `ReadTimeout`,
`RemoteProtocolError`: unknown outcome).
"""

from __future__ import annotations

import asyncio
import re
import selectors
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx

BUFFER = 2**20
"""Bytes read ahead. A head may not be longer, and chunks of a body are at most twice as long."""
TRUSTED_IDLE = 1.0
"""Seconds. A connection idle for longer is asked whether the other side has closed it meanwhile."""
KEPT_IDLE = 55.0
"""Seconds. Load balancers close idle connections after 60: one this old is not used again."""

_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})(?: [^\r\n]*)?\Z")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*\Z")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n\Z")


class Wire(httpx.AsyncBaseTransport):
    """At most `connections` at a time, kept alive between requests. Belongs to one event loop."""

    def __init__(self, connections: int) -> None:
        self._slots = asyncio.Semaphore(connections)
        self._idle: list[_Connection] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response's head; its body is still to be read. Raises httpx.TransportError."""
        timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
        try:
            async with asyncio.timeout(timeouts.get("pool")):
                await self._slots.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("too many requests are under way", request=request) from None
        try:
            connection = self._kept() or await _open(request.url, timeouts.get("connect"))
        except BaseException:
            self._slots.release()
            raise
        connection.patience = timeouts.get("read")
        try:
            head = await connection.ask(_written(request))
        except BaseException:
            self._give_back(connection, reusable=False)
            raise
        return httpx.Response(
            head.status, headers=head.fields, stream=_Body(self, connection, head), request=request
        )

    async def aclose(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _kept(self) -> _Connection | None:
        """The connection used last, if one still stands."""
        while self._idle:
            connection = self._idle.pop()
            if connection.stands():
                return connection
            connection.close()
        return None

    def _give_back(self, connection: _Connection, *, reusable: bool) -> None:
        if reusable:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.close()
        self._slots.release()


@dataclass(frozen=True, slots=True)
class _Head:
    """A response before its body. `length`: bytes, or None: chunked, or until the end."""

    status: int
    fields: list[tuple[bytes, bytes]]
    length: int | None
    chunked: bool
    keep: bool


class _Connection:
    """One connection; `patience` is how long (s) any single read or write may take."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer
        self.patience: float | None = None
        self.idle_since = 0.0

    async def ask(self, raw: bytes) -> _Head:
        """Send a request and read the answer's head."""
        try:
            async with asyncio.timeout(self.patience):
                self._writer.write(raw)
                await self._writer.drain()
                while True:
                    head = _understood(await self.reader.readuntil(b"\r\n\r\n"))
                    if head.status >= 200:  # not a mere "100 Continue"
                        return head
        except _BROKEN as error:
            raise _typed(error) from error

    async def body(self, head: _Head) -> AsyncIterator[bytes]:
        """The body's bytes as they come."""
        try:
            if head.chunked:
                async for piece in self._chunks():
                    yield piece
            elif head.length is None:
                while piece := await self._some(BUFFER):
                    yield piece
            else:
                async for piece in self._exactly(head.length):
                    yield piece
        except _BROKEN as error:
            raise _typed(error) from error

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            async with asyncio.timeout(self.patience):
                line = await self.reader.readuntil(b"\r\n")
            if not (match := _CHUNK.match(line)):
                raise httpx.RemoteProtocolError("the reply's body is not chunked as its head says")
            if not (size := int(match.group(1), 16)):
                break
            async for piece in self._exactly(size):
                yield piece
            await self._line_end()
        async with asyncio.timeout(self.patience):  # trailers, which nobody here needs
            while await self.reader.readuntil(b"\r\n") != b"\r\n":
                pass

    async def _line_end(self) -> None:
        async with asyncio.timeout(self.patience):
            if await self.reader.readexactly(2) != b"\r\n":
                raise httpx.RemoteProtocolError("a chunk of the reply's body has another length")

    async def _exactly(self, size: int) -> AsyncIterator[bytes]:
        while size:
            piece = await self._some(min(size, BUFFER))
            if not piece:
                raise httpx.RemoteProtocolError(f"the reply ended {size} bytes too early")
            size -= len(piece)
            yield piece

    async def _some(self, most: int) -> bytes:
        async with asyncio.timeout(self.patience):
            return await self.reader.read(most)

    def stands(self) -> bool:
        """Can it be used again? A function that was frozen learns only now what happened then."""
        unasked = self.reader._buffer  # type: ignore[attr-defined]  # noqa: SLF001 - or we would answer one request with another's reply
        if unasked or self.reader.at_eof() or self._writer.is_closing():
            return False
        idle = asyncio.get_running_loop().time() - self.idle_since
        if idle < TRUSTED_IDLE:
            return True
        return idle < KEPT_IDLE and not _readable(self._writer.get_extra_info("socket"))

    def close(self) -> None:
        """At once: what is under way is given up."""
        self._writer.transport.abort()


class _Body(httpx.AsyncByteStream):
    """The body of one response; gives its connection back when it was read to the end."""

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
            reusable = self._complete and self._head.keep
            self._wire._give_back(self._connection, reusable=reusable)  # noqa: SLF001 - its other half


_BROKEN = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
"""TimeoutError is an OSError."""


def _typed(error: Exception) -> httpx.TransportError:
    if isinstance(error, TimeoutError):
        return httpx.ReadTimeout("no reply in time")
    if isinstance(error, asyncio.IncompleteReadError):
        return httpx.RemoteProtocolError("the connection was closed before the reply was complete")
    if isinstance(error, asyncio.LimitOverrunError):
        return httpx.RemoteProtocolError(f"the reply's head is over {BUFFER} bytes")
    return httpx.ReadError(str(error) or type(error).__name__)


async def _open(url: httpx.URL, patience: float | None) -> _Connection:
    secure = url.scheme == "https"
    try:
        async with asyncio.timeout(patience):
            return _Connection(
                *await asyncio.open_connection(
                    url.host,
                    url.port or (443 if secure else 80),
                    limit=BUFFER,
                    ssl=_trust() if secure else None,
                )
            )
    except TimeoutError as error:
        raise httpx.ConnectTimeout("no connection in time") from error
    except OSError as error:
        raise httpx.ConnectError(str(error) or type(error).__name__) from error


@cache
def _trust() -> ssl.SSLContext:
    """The certificates that httpx trusts; loaded once, and only where TLS is spoken."""
    return httpx.create_ssl_context(trust_env=False)


def _written(request: httpx.Request) -> bytes:
    """The request as it goes over the wire, head and body in one piece."""
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%b: %b" % field for field in request.headers.raw]
    return b"\r\n".join([*lines, b"", request.content])


def _understood(raw: bytes) -> _Head:
    """The head that was read. Raises RemoteProtocolError where it is none."""
    line, *rest = raw[:-4].split(b"\r\n")
    status, fields = _STATUS.match(line), [_FIELD.match(one) for one in rest]
    if status is None or None in fields:
        raise httpx.RemoteProtocolError(f"that is no HTTP reply: {raw[:80]!r}")
    pairs = [(one.group(1), one.group(2)) for one in fields if one]
    said: dict[bytes, bytes] = {name.lower(): value for name, value in pairs}
    chunked = b"chunked" in said.get(b"transfer-encoding", b"").lower()
    length = said.get(b"content-length", b"")
    if length and not length.isdigit():
        raise httpx.RemoteProtocolError(f"content-length is {length[:40]!r}")
    empty = status.group(2) in (b"204", b"304")
    known = 0 if empty else int(length) if length and not chunked else None
    ends = known is not None or chunked
    keep = status.group(1) == b"1" and b"close" not in said.get(b"connection", b"").lower()
    return _Head(int(status.group(2)), pairs, known, chunked and not empty, keep and ends)


def _readable(socket: Any) -> bool:
    """Has an idle connection something to read? Then it was closed, or out of step."""
    with selectors.DefaultSelector() as selector:
        selector.register(socket, selectors.EVENT_READ)
        return bool(selector.select(0))
