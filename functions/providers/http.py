"""HTTP calls to services that we chose: one client, its timeouts, and which responses deserve a
retry. An address that a stranger wrote is fetched with `shared.fetch`."""

from __future__ import annotations

import functools
import random
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from shared import Discard, Snooze
from shared.drain.outcome import retry_after
from shared.jobs.redact import redacted_start

TIMEOUT = httpx.Timeout(15.0, connect=5.0)
WAIT = 5.0
"""Seconds to wait after a 429 that names no time."""
SPREAD = 30.0
"""Seconds over which the jobs come back that a service has limited. At once they would meet its
limit at once."""
_TRANSIENT = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_MESSAGES = ("message", "detail", "error", "description", "errors")
"""Fields in which services say what is wrong."""
LONGEST_MESSAGE = 200
_NAMES = ("name", "code", "type")
_QUOTAS = {"insufficient_quota", "daily_quota_exceeded", "monthly_quota_exceeded"}
"""What OpenAI and Resend call a 429 that ends with a payment or a period, not with a wait."""
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


def limited(service: str, seconds: float | None) -> Snooze:
    """The signal of a job that a limit of the whole account stopped: it spends no attempt, and
    comes back after `seconds` (None: the service names no time) and a random share of SPREAD."""
    spread = SPREAD * random.random()  # noqa: S311 - no secret
    return Snooze((WAIT if seconds is None else seconds) + spread, f"{service} limits the account")


def check(response: httpx.Response, service: str) -> None:
    """Raise Snooze where the service limits the account, HTTPStatusError for another failure that
    may pass, Discard for any other."""
    if response.is_success:
        return
    is_limit = response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    if is_limit and not names_of(response) & _QUOTAS:
        raise limited(service, _retry_after(response))
    if is_transient(response) and not is_limit:
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
    """A field of a JSON body as text, in at most 200 characters; "" where there is none. Of an
    object, or of the first one in a list, it is the message."""
    value = _body(response).get(name)
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict):
        value = value.get("message") or value.get("code")
    return "" if value is None else redacted_start(str(value), LONGEST_MESSAGE)


def names_of(response: httpx.Response) -> set[str]:
    """What a failure is called: the fields `name`, `code` and `type` of the body, of its `error`
    and of its `errors`."""
    body = _body(response)
    errors = body.get("errors")
    parts = [body, body.get("error"), *(errors if isinstance(errors, list) else ())]
    fields = [part.get(name) for part in parts if isinstance(part, dict) for name in _NAMES]
    return {name for name in fields if isinstance(name, str)}


def _retry_after(response: httpx.Response) -> float | None:
    return retry_after(httpx.HTTPStatusError("", request=response.request, response=response))


def _body(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


@functools.cache
def _tls() -> ssl.SSLContext:
    # Reading the certificates takes 20 ms, more than all other work for an email.
    return httpx.create_ssl_context()
