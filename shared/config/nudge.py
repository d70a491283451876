"""The settings of nudges (docs/guides/nudge.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ..errors import ConfigurationError
from .addresses import is_host, is_service_url

_FUNCTION = re.compile(r"[A-Za-z0-9_:$-]{1,170}")


class NudgeSettings(NamedTuple):
    """How a drain is called: a Lambda function's name or ARN, or the base URL of the deployment's
    own API. None of both: it is not. `window` is in seconds."""

    function: str | None = None
    url: str | None = None
    window: float = 0.25


def read_nudge(env: Mapping[str, str], window: float) -> NudgeSettings:
    """The settings of TIDEGATE_NUDGE, with its window in seconds. Raises ConfigurationError."""
    text = env.get("TIDEGATE_NUDGE", "").strip()
    kind, _, name = text.partition(":")
    if text in ("", "off"):
        return NudgeSettings(window=window)
    if kind == "lambda" and _FUNCTION.fullmatch(name):
        return NudgeSettings(function=name, window=window)
    if text != "url":
        raise ConfigurationError(
            f"TIDEGATE_NUDGE={text!r}: write lambda:FUNCTION (a name or an ARN), url, or off"
        )
    if not env.get("CRON_SECRET", "").strip():
        raise ConfigurationError("TIDEGATE_NUDGE=url sends CRON_SECRET, which is not set; set it")
    return NudgeSettings(url=_own_url(env), window=window)


def _own_url(env: Mapping[str, str]) -> str:
    """The base URL of the deployment's own API."""
    url = env.get("TIDEGATE_URL", "").strip().rstrip("/")
    if url:
        if not is_service_url(url):
            raise ConfigurationError(
                "TIDEGATE_URL must be https://host, without a user name (plain http only for "
                "localhost)"
            )
        return url
    # A deployment's own address may ask for a login; the production domain does not.
    in_production = env.get("VERCEL_ENV") == "production"
    host = env.get("VERCEL_PROJECT_PRODUCTION_URL" if in_production else "VERCEL_URL", "").strip()
    if not is_host(host):
        raise ConfigurationError(
            "TIDEGATE_NUDGE=url needs the address of the deployment: set TIDEGATE_URL to "
            "https://your.app"
        )
    return f"https://{host}"
