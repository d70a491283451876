"""The signature of a webhook, as Standard Webhooks (standardwebhooks.com) has it, symmetric."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256


def signed_headers(
    message_id: str, timestamp: int, content: bytes, secrets: Iterable[bytes]
) -> dict[str, str]:
    """The headers of a webhook: its id, the instant of this try (Unix seconds), and a signature by
    each secret."""
    text = f"{message_id}.{timestamp}.".encode() + content
    digests = (hmac.digest(secret, text, sha256) for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{b64encode(one).decode()}" for one in digests),
    }
