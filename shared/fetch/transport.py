"""The transport of every fetch: it looks a name up once, judges every address found, and connects
to exactly one of those. The certificate is checked against the name."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Awaitable, Callable

import httpx

from .address import check, host_of, is_public
from .connection import BoundedTransport
from .lookups import look_up

MOST_TRIED = 3
"""Addresses of one name that are tried in turn."""
UNREACHABLE = "no public server answers at this address"
Resolve = Callable[[str], Awaitable[list[str]]]


class PublicTransport(httpx.AsyncBaseTransport):
    """An httpx transport that reaches public servers only.

    Each request is judged anew, those of redirects too. Raises Discard for a URL that may not be
    fetched, and httpx.ConnectError, always with the same text, where the name has no address, has
    one that is not public, or no server answers: so the error reveals nothing of a private network.
    What is no content is bounded (`BoundedTransport`); the content is the caller's to bound.
    """

    def __init__(
        self,
        *,
        resolve: Resolve = look_up,
        judge: Callable[[str], bool] = is_public,
        inner: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._resolve, self._judge, self._inner = resolve, judge, inner or BoundedTransport(_tls())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        check(str(request.url))
        for ip in await self._addresses(request):
            try:
                return await self._inner.handle_async_request(_pinned(request, ip))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        raise httpx.ConnectError(UNREACHABLE, request=request)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _addresses(self, request: httpx.Request) -> list[str]:
        """The host's addresses; none if one of them is not public."""
        try:
            addresses = await self._resolve(host_of(request.url))
        except (OSError, UnicodeError):
            return []
        return addresses[:MOST_TRIED] if all(map(self._judge, addresses)) else []


def _pinned(request: httpx.Request, ip: str) -> httpx.Request:
    """The request to this address. Its Host header and its certificate's name stay."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=ip),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host_of(request.url)},
    )


@functools.cache
def _tls() -> ssl.SSLContext:
    # Reading the certificates takes 20 ms, more than most of the work around a small file.
    return httpx.create_ssl_context(trust_env=False)
