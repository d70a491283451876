"""An httpx transport to the embedded store in this process, without sockets."""

from __future__ import annotations

import httpx

from ..errors import UnknownOutcome, Unreachable
from .protocol import UpstashProtocol


class EmbeddedTransport(httpx.AsyncBaseTransport):
    """A transport to `protocol` that ignores the request's host.

    It raises `httpx.ConnectError` if the engine is unreachable (nothing was sent) and
    `httpx.ReadError` if the engine is lost during the call (unknown outcome). `aclose` leaves the
    protocol open.
    """

    def __init__(self, protocol: UpstashProtocol) -> None:
        self._protocol = protocol

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in request.headers.raw
        }
        body = await request.aread()
        try:
            response = await self._protocol.handle(request.method, path, query, headers, body)
        except Unreachable as error:
            raise httpx.ConnectError(str(error), request=request) from error
        except UnknownOutcome as error:
            raise httpx.ReadError(str(error), request=request) from error
        return httpx.Response(response.status, headers=response.headers, content=response.body)
