"""The embedded store as a local HTTP server, for Upstash clients in any language."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any, TypeAlias

import uvicorn

from ..errors import ConfigurationError, UnknownOutcome, Unreachable
from .protocol import Response, UpstashProtocol
from .reply import dump

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class Gateway:
    """The ASGI application: the protocol, and `GET /_meter` (with the token) for its counts.

    If the engine fails, it answers 503 when nothing was sent and 502 when the outcome is unknown.
    """

    def __init__(self, protocol: UpstashProtocol) -> None:
        self._protocol = protocol

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        body, size = await self._body(receive)
        if size > len(body):
            headers["content-length"] = str(size)
        if path == "/_meter" and self._protocol.authorized(query, headers):
            counts = dump(self._protocol.meter.snapshot())
            response = Response(200, [(b"content-type", b"application/json")], counts)
        else:
            response = await self._answer(scope["method"], path, query, headers, body)
        await send(
            {"type": "http.response.start", "status": response.status, "headers": response.headers}
        )
        await send({"type": "http.response.body", "body": response.body})

    async def _answer(
        self, method: str, path: str, query: str, headers: dict[str, str], body: bytes
    ) -> Response:
        try:
            return await self._protocol.handle(method, path, query, headers, body)
        except Unreachable as error:
            return _error_response(503, error)
        except UnknownOutcome as error:
            return _error_response(502, error)

    async def _body(self, receive: Receive) -> tuple[bytes, int]:
        """The body and its full size. Bytes beyond the limit are read and discarded."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size <= self._protocol.max_request_bytes:
                chunks.append(chunk)
            if not message.get("more_body"):
                return b"".join(chunks), size


def server(protocol: UpstashProtocol, *, host: str = "127.0.0.1", port: int) -> uvicorn.Server:
    """A server for `protocol` that is not started: await its `serve()`, set `should_exit` to stop
    it. Raises `ConfigurationError` for an address that other machines can reach.
    """
    require_loopback(host)
    fast = {name: importlib.util.find_spec(name) is not None for name in ("uvloop", "httptools")}
    return uvicorn.Server(
        uvicorn.Config(
            Gateway(protocol),
            host=host,
            port=port,
            loop="uvloop" if fast["uvloop"] else "asyncio",
            http="httptools" if fast["httptools"] else "h11",
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
        )
    )


@asynccontextmanager
async def serving(
    protocol: UpstashProtocol, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serve in the running event loop for the length of the block; yields the URL, which accepts
    requests at once.

    Port 0 selects a free port. During the block, SIGINT and SIGTERM stop this server first.
    Raises `ConfigurationError` if the address is not loopback or is in use.
    """
    require_loopback(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigurationError(
            f"Can't listen on port {port} of {host}: {error}. Choose another port."
        ) from error
    serving = server(protocol, host=host, port=port)
    task = asyncio.create_task(serving.serve(sockets=[listener]))
    try:
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{listener.getsockname()[1]}"
    finally:
        serving.should_exit = True
        await task
        listener.close()


def run(protocol: UpstashProtocol, *, host: str = "127.0.0.1", port: int) -> None:
    """Serve in an event loop of its own until a signal stops it. Blocks."""
    server(protocol, host=host, port=port).run()


def require_loopback(host: str) -> None:
    """Raises `ConfigurationError` unless `host` is a loopback address."""
    try:
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigurationError(
            f"The embedded store listens on this machine only, not on {host!r}: it has one token "
            "and no TLS. Use 127.0.0.1, or a real Upstash database."
        )


def _error_response(status: int, error: Exception) -> Response:
    return Response(
        status, [(b"content-type", b"application/json")], dump({"error": f"ERR {error}"})
    )
