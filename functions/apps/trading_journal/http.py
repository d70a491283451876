"""What calls to the outside world share: TLS, patience, and which answers are worth another try."""

from __future__ import annotations

import functools
import ssl
from http import HTTPStatus

import httpx

PATIENCE = httpx.Timeout(15.0, connect=5.0)
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


def client() -> httpx.AsyncClient:
    """A client for one job. Follows no redirect: where it goes is decided before it asks."""
    return httpx.AsyncClient(timeout=PATIENCE, verify=_tls(), follow_redirects=False)


def passing(response: httpx.Response) -> bool:
    """May the same request succeed later? Then raise its HTTPStatusError: the engine reads
    Retry-After from it."""
    return response.is_server_error or response.status_code in _PASSING


@functools.cache
def _tls() -> ssl.SSLContext:
    # Reading the certificates takes 20 ms, more than everything else a letter costs here.
    return httpx.create_ssl_context()
