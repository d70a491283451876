"""The HTTP function: `app` for Vercel and local servers, `handler` for Lambda behind an HTTP API.

Importing it contacts nothing. Settings are read when a server starts or, on Lambda, at once: a
configuration that can't work is a start that fails, with a sentence in the log.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import os
import secrets
import sys
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from shared import log
from shared.connect import connect, load_registry, use_store
from shared.settings import Settings
from shared.web import Site, create_app

if TYPE_CHECKING:
    from mangum import Mangum

GATEWAY_LIMIT = 29.0
"""Seconds: an HTTP API answers 504 after 30, whatever time the function has."""
_at_start: Settings | None = None
"""Lambda's environment stays as it is; a local server may start again in another one."""
TEXT = ["text/", "application/json", "application/problem+json"]


def _compose() -> Site:
    """The site as the environment has it. Runs inside the event loop that will serve it."""
    settings = _with_token(_at_start or Settings.from_env())
    log.configure(settings)
    store = connect(settings)
    use_store(store)
    return Site(
        settings,
        load_registry(settings),
        store=lambda: store,
        seconds_left=lambda request: _seconds_left(request, settings),
        measure=log.report_sink(settings),
        close=store.close,
    )


def _with_token(settings: Settings) -> Settings:
    """On a developer's machine without tokens: one for this process, shown once."""
    if settings.platform != "local" or settings.api_tokens:
        return settings
    token = secrets.token_urlsafe(24)
    sys.stderr.write(f"TIDEGATE_API_TOKENS is not set; this process's admin token is {token}\n")
    return dataclasses.replace(settings, api_tokens={token: "admin"})


def _seconds_left(request: Request, settings: Settings) -> float:
    """Seconds until the platform ends this request."""
    context = request.scope.get("aws.context")
    if context is not None:
        left: int = context.get_remaining_time_in_millis()
        return min(GATEWAY_LIMIT, left / 1000)
    deadline = _vercel_deadline() if settings.platform == "vercel" else None
    if deadline is None:
        return settings.max_duration
    return max(0.0, (deadline - datetime.now(UTC)).total_seconds())


def _vercel_deadline() -> datetime | None:
    """When Vercel ends this request; None where its runtime is too old to say."""
    try:
        runtime = importlib.import_module("vercel_runtime")  # exists on Vercel only
    except ImportError:
        return None
    get_deadline = getattr(runtime, "get_deadline", lambda: None)  # not before 0.23
    deadline: datetime | None = get_deadline()
    return deadline


app = create_app(_compose)


@cache
def _adapter() -> tuple[Mangum, asyncio.AbstractEventLoop]:
    """Mangum and the one loop that all invocations share: the store's connections live in it."""
    from mangum import Mangum  # noqa: PLC0415 - needed on Lambda only

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # Mangum asks for it when made; Python 3.12 warns without one
    return Mangum(app, lifespan="off", text_mime_types=TEXT), loop


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Lambda's entry: one HTTP API event (payload format 2.0) to one response."""
    adapter, loop = _adapter()
    asyncio.set_event_loop(loop)  # whoever called asyncio.run meanwhile has taken it away
    return adapter(event, context)


if os.environ.get("AWS_LAMBDA_FUNCTION_NAME"):
    _at_start = Settings.from_env()
    log.configure(_at_start)
    load_registry(_at_start)
    _adapter()
