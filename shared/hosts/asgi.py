"""The HTTP API as an ASGI application, for Vercel, Lambda behind Mangum, and any ASGI server.

# functions/api.py
from tidegate.hosts.asgi import create_api

app = create_api()
"""

from __future__ import annotations

import dataclasses
import logging
import os
import secrets
import sys
from functools import partial
from typing import TYPE_CHECKING

from ..config.settings import Settings
from ..declare.app import Registry
from ..deployment import Deployment
from ..observe import log
from ..web import create_app
from .start import collector_paused
from .vercel import seconds_until_deadline

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request

    from ..nudge.nudge import Nudge

logger = logging.getLogger("tidegate.hosts")
EMBEDDED = (
    "UPSTASH_REDIS_REST_URL is not set: jobs are kept on this machine, and no other function or "
    "server sees them"
)
GATEWAY_SECONDS = 29.0
"""An AWS HTTP API answers 504 after 30 seconds, whatever time the function has."""


@collector_paused()
def create_api(nudge: Nudge | None = None) -> Starlette:
    """The application of the deployment that the environment describes. `nudge`: what calls a drain
    in this process, in place of the configured way.

    Making it contacts nothing. On Lambda a configuration that can't work is a start that fails
    (ConfigurationError); elsewhere the environment is read when the server starts.
    """
    if "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
        return create_app(partial(open_deployment, nudge), seconds_left=seconds_left)
    from ..web import enqueue  # noqa: F401, PLC0415 - now: Lambda starts with a whole processor

    deployment = open_deployment(nudge)
    return create_app(lambda: deployment, seconds_left=seconds_left)


def open_deployment(nudge: Nudge | None = None) -> Deployment:
    """The environment's deployment, with logs configured. Raises ConfigurationError."""
    settings = _with_token(Settings.from_env())
    log.configure(settings)
    if settings.redis_url is None:
        logger.warning("embedded_store", extra={"reason": EMBEDDED, "folder": _folder(settings)})
    deployment = Deployment(settings, Registry.load(settings.apps), nudge=nudge)
    deployment.make_default()
    return deployment


def seconds_left(request: Request, settings: Settings) -> float:
    """Seconds until the platform ends this request."""
    context = request.scope.get("aws.context")
    if context is not None:
        milliseconds: int = context.get_remaining_time_in_millis()
        return min(GATEWAY_SECONDS, milliseconds / 1000)
    until = seconds_until_deadline() if settings.platform == "vercel" else None
    return settings.max_duration if until is None else until


def _folder(settings: Settings) -> str:
    return "none (TIDEGATE_VOLATILE)" if settings.volatile else str(settings.data_dir)


def _with_token(settings: Settings) -> Settings:
    """On a developer's machine without tokens: one for this process, shown once."""
    if settings.platform != "local" or settings.api_tokens:
        return settings
    token = secrets.token_urlsafe(24)
    sys.stderr.write(f"TIDEGATE_API_TOKENS is not set; this process's admin token is {token}\n")
    return dataclasses.replace(settings, api_tokens={token: "admin"})
