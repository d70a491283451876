"""The secrets that sign callbacks, from the environment."""

from __future__ import annotations

import binascii
import os
from base64 import b64decode
from collections.abc import Mapping

from ..errors import ConfigurationError
from ..jobs.redact import keep_secret

VARIABLE = "TIDEGATE_CALLBACK_SECRET"
PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Bytes of a secret, by Standard Webhooks."""


def callback_secrets(env: Mapping[str, str] = os.environ) -> tuple[bytes, ...]:
    """The secrets in TIDEGATE_CALLBACK_SECRET, empty if it is not set. Two, with a space between
    them, while one replaces the other: a callback has a signature by each. Raises
    ConfigurationError."""
    words = env.get(VARIABLE, "").split()
    keep_secret(words)
    return tuple(_secret(word) for word in words)


def _secret(word: str) -> bytes:
    try:
        secret = b64decode(word.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not word.startswith(PREFIX) or not SHORTEST <= len(secret) <= LONGEST:
        raise ConfigurationError(
            f"{VARIABLE}: write {PREFIX} and then {SHORTEST} to {LONGEST} random bytes in base64, "
            f"for example: echo {PREFIX}$(openssl rand -base64 32)"
        )
    return secret
