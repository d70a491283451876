"""The platforms that run the functions, and their detection from the environment."""

from __future__ import annotations

from collections.abc import Mapping

LAMBDA = "lambda"
VERCEL = "vercel"
LOCAL = "local"
"""A developer's machine or a server: the only platform that may use the embedded store."""


def detect_platform(env: Mapping[str, str]) -> str:
    """The platform whose variables are in the environment, LOCAL without any."""
    if env.get("AWS_LAMBDA_FUNCTION_NAME"):
        return LAMBDA
    return VERCEL if env.get("VERCEL") else LOCAL
