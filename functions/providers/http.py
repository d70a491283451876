"""HTTP calls to services that we chose: one client, its timeouts, and which responses deserve a
retry. An address that a stranger wrote is fetched with `shared.fetch`."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from shared import Discard

TIMEOUT = httpx.Timeout(15.0, connect=5.0)
_TRANSIENT = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_MESSAGES = ("message", "detail", "error", "description")
"""Fields in which services say what is wrong."""
LONGEST_MESSAGE = 200
Model = TypeVar("Model", bound=BaseModel)


class UnreadableAnswer(Exception):
    """A service answered a success that its client can't read: often a proxy's own page. A retry
    may meet the service itself."""


def client(
    *, headers: Mapping[str, str] | None = None, timeout: float | None = None
) -> httpx.AsyncClient:
    """A client for one job. It follows no redirect: a service that we chose has one address.
    `timeout`: seconds to wait for a response that takes long to compute."""
    limits = TIMEOUT if timeout is None else httpx.Timeout(timeout, connect=5.0)
    return httpx.AsyncClient(headers=headers, timeout=limits, verify=_tls(), follow_redirects=False)


def is_transient(response: httpx.Response) -> bool:
    """True if the same request may succeed later. The caller then raises the response's
    HTTPStatusError, and the engine reads Retry-After from it."""
    return response.is_server_error or response.status_code in _TRANSIENT


def check(response: httpx.Response, service: str) -> None:
    """Raise HTTPStatusError for a failure that may pass, Discard for any other."""
    if response.is_success:
        return
    if is_transient(response):
        response.raise_for_status()
    raise Discard(f"{service} answers {response.status_code}: {message_of(response)}")


def read(response: httpx.Response, model: type[Model], service: str) -> Model:
    """The body of a success as its model. Raises UnreadableAnswer, and what `check` raises."""
    check(response, service)
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise UnreadableAnswer(f"{service}: {where}: {first['msg']}") from None


def message_of(response: httpx.Response) -> str:
    """What the service says about a failure, in at most 200 characters; "" where it says
    nothing."""
    for name in _MESSAGES:
        text = field_of(response, name)
        if text:
            return text
    return ""


def field_of(response: httpx.Response, name: str) -> str:
    """A field of a JSON body as text, in at most 200 characters; "" where there is none."""
    try:
        value = response.json().get(name, "")
    except (ValueError, AttributeError):  # not JSON, or not an object
        return ""
    if isinstance(value, dict):
        value = value.get("message", "")
    return str(value)[:LONGEST_MESSAGE]


@functools.cache
def _tls() -> ssl.SSLContext:
    # Reading the certificates takes 20 ms, more than all other work for an email.
    return httpx.create_ssl_context()
