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

STOP_SECONDS = 3
"""Seconds that requests under way have to end after a signal."""


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
        authorized = self._protocol.authorized(query, headers)
        keep = self._protocol.limits.request_bytes if authorized else 0
        received = await _body(receive, keep)
        if received is None:
            return
        body, size = received
        if size > len(body):
            headers["content-length"] = str(size)
        if path == "/_meter" and authorized:
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


async def _body(receive: Receive, keep: int) -> tuple[bytes, int] | None:
    """The body and its full size; a body of more than `keep` bytes is read and discarded.

    None if the client closes the connection before the end of the body.
    """
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size <= keep:
            chunks.append(chunk)
        else:
            chunks.clear()
        if not message.get("more_body"):
            return b"".join(chunks), size


def server(protocol: UpstashProtocol, *, host: str = "127.0.0.1", port: int) -> uvicorn.Server:
    """A server for `protocol` that is not started: await its `serve()`, set `should_exit` to stop
    it. Raises `ConfigurationError` for an address that other machines can reach.
    """
    require_loopback(host)
    uvloop = importlib.util.find_spec("uvloop") is not None
    return uvicorn.Server(
        uvicorn.Config(
            Gateway(protocol),
            host=host,
            port=port,
            loop="uvloop" if uvloop else "asyncio",
            http=_connections(),
            timeout_graceful_shutdown=STOP_SECONDS,
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
    listener = _listener(host, port)
    serving = server(protocol, host=host, port=port)
    task = asyncio.create_task(serving.serve(sockets=[listener]))
    try:
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{listener.getsockname()[1]}"
    finally:
        serving.should_exit = True
        await task
        listener.close()


def _connections() -> type[asyncio.Protocol] | str:
    if importlib.util.find_spec("httptools") is None:
        return "h11"
    from .http import Http  # noqa: PLC0415 - needs httptools

    return Http


def _listener(host: str, port: int) -> socket.socket:
    # With its protocol, which accepted sockets inherit: asyncio sets TCP_NODELAY only on sockets
    # that name TCP, and without it a reply waits 40 ms for the client's acknowledgement.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"Can't listen on port {port} of {host}: {error}. Choose another port."
        ) from error
    return listener


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
