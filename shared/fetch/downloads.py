"""The download of one file from an address that a stranger wrote."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import BinaryIO

import httpx

from ..errors import Discard
from .address import check
from .transport import UNREACHABLE, PublicTransport

CHUNK = 64 * 1024
TIMEOUT = httpx.Timeout(15.0, connect=5.0)
TRANSIENT = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
"""Statuses below 500 after which the same request may succeed later."""


class FetchFailed(Exception):
    """The server could not be reached, or not now. `response` is its answer, where there was one:
    the engine reads Retry-After from it."""

    def __init__(self, text: str = UNREACHABLE, response: httpx.Response | None = None) -> None:
        super().__init__(text)
        self.response = response


async def download(
    address: str,
    into: BinaryIO,
    *,
    max_bytes: int,
    timeout: float = 60.0,
    accept: str = "*/*",
    transport: httpx.AsyncBaseTransport | None = None,
) -> str:
    """Write the body of `address` to `into`: at most `max_bytes`, in at most `timeout` seconds.
    Returns the server's Content-Type, "" where it sends none.

    Raises Discard where no retry helps (the address may not be fetched, the answer is a redirect,
    a refusal, compressed or too large), FetchFailed where one may. Neither has a text of the server
    or a part of the address."""
    url = check(address)
    # Plain bytes only: a small compressed response can unpack to any size.
    headers = {"Accept-Encoding": "identity", "Accept": accept}
    try:
        async with (
            asyncio.timeout(timeout),
            open_client(transport) as http,
            http.stream("GET", url, headers=headers) as response,
        ):
            _require_plain_file(response)
            left = max_bytes
            async for chunk in response.aiter_raw(CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise Discard(f"the file is larger than {max_bytes} bytes; split it")
                into.write(chunk)
            return str(response.headers.get("content-type", ""))
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError):
        # The cause is left out: its text is the server's, or reveals what a private network holds.
        raise FetchFailed from None


def open_client(transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    """A client for one request to a public server. `transport`: in place of the public one."""
    return httpx.AsyncClient(
        transport=transport or PublicTransport(),
        timeout=TIMEOUT,
        follow_redirects=False,
        trust_env=False,  # no proxy, no netrc
    )


def _require_plain_file(response: httpx.Response) -> None:
    status = response.status_code
    if response.is_server_error or status in TRANSIENT:
        raise FetchFailed(f"the server answers {status}", response)
    if response.is_redirect:
        raise Discard("the server redirects; give the file's final address")
    if status != HTTPStatus.OK:
        raise Discard(f"the server answers {status}; the file is not there for everybody")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise Discard("the server sends compressed bytes only; give an address of the plain file")
