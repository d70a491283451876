"""HTTP calls to services that we chose: one client, its timeouts, and which responses deserve a
retry. An address that a stranger wrote is fetched with `shared.fetch`."""

from __future__ import annotations

import functools
import ssl
from http import HTTPStatus

import httpx

TIMEOUT = httpx.Timeout(15.0, connect=5.0)
_TRANSIENT = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


def client() -> httpx.AsyncClient:
    """A client for one job. It follows no redirect: a service that we chose has one address."""
    return httpx.AsyncClient(timeout=TIMEOUT, verify=_tls(), follow_redirects=False)


def is_transient(response: httpx.Response) -> bool:
    """True if the same request may succeed later. The caller then raises the response's
    HTTPStatusError, and the engine reads Retry-After from it."""
    return response.is_server_error or response.status_code in _TRANSIENT


@functools.cache
def _tls() -> ssl.SSLContext:
    # Reading the certificates takes 20 ms, more than all other work for an email.
    return httpx.create_ssl_context()
