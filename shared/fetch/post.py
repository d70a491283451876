"""One POST to an address that a stranger wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

import httpx

from ..errors import Discard
from .address import check
from .downloads import FetchFailed, open_client

SECONDS = 20.0


async def post(
    address: str,
    content: bytes,
    headers: Mapping[str, str],
    *,
    timeout: float = SECONDS,
    transport: httpx.AsyncBaseTransport | None = None,
) -> None:
    """Send `content` to `address`, in at most `timeout` seconds. The answer's body is not read.

    Raises Discard where no retry helps (the address may not be fetched, the answer is a redirect,
    or 410: the receiver wants no more) and FetchFailed for any other answer than 2xx. No text of
    the server, and nothing of the address, stands in either.
    """
    url = check(address)
    try:
        async with (
            asyncio.timeout(timeout),
            open_client(transport) as http,
            http.stream("POST", url, content=content, headers=dict(headers)) as response,
        ):
            _require_accepted(response)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError):
        # The cause is left out: its text is the server's, or reveals what a private network holds.
        raise FetchFailed from None


def _require_accepted(response: httpx.Response) -> None:
    if response.is_success:
        return
    if response.is_redirect:
        raise Discard("the server redirects; give the final address")
    if response.status_code == HTTPStatus.GONE:
        raise Discard("the server answers 410: it wants no more calls")
    raise FetchFailed(f"the server answers {response.status_code}", response)
