"""The setting TIDEGATE_ENCRYPTION_KEYS: named keys, `name:base64`, comma-separated."""

from __future__ import annotations

import base64
import binascii

from ..errors import ConfigurationError
from ..jobs.ids import NAME_GRAMMAR, is_name
from .keyring import KEY_BYTES, EncryptionKey

VARIABLE = "TIDEGATE_ENCRYPTION_KEYS"


def parse_keys(text: str) -> tuple[EncryptionKey, ...]:
    """The keys in their order. Raises ConfigurationError, which quotes no key."""
    keys: list[EncryptionKey] = []
    entries = filter(None, (entry.strip() for entry in text.split(",")))
    for number, entry in enumerate(entries, start=1):
        key = _parse_key(entry, number)
        for other in keys:
            if other.name == key.name:
                raise ConfigurationError(f"{VARIABLE}: two keys are named {key.name!r}; rename one")
            if other.secret == key.secret:
                raise ConfigurationError(
                    f"{VARIABLE}: {other.name!r} and {key.name!r} are the same key; "
                    "make another one: tidegate keys generate"
                )
        keys.append(key)
    return tuple(keys)


def _parse_key(entry: str, number: int) -> EncryptionKey:
    name, colon, text = (part.strip() for part in entry.partition(":"))
    if not colon or not is_name(name):
        raise ConfigurationError(
            f"{VARIABLE}: its entry {number} is not name:base64; for the name {NAME_GRAMMAR}"
        )
    try:
        plain = text.replace("-", "+").replace("_", "/").rstrip("=")
        secret = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigurationError(
            f"{VARIABLE}: key {name!r} is not base64; copy it again, or make another one: "
            "tidegate keys generate"
        ) from None
    if len(secret) != KEY_BYTES:
        raise ConfigurationError(
            f"{VARIABLE}: key {name!r} has {len(secret)} bytes, not {KEY_BYTES}; copy it again, "
            "or make another one: tidegate keys generate"
        )
    return EncryptionKey(name, secret)
