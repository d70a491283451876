"""Idempotency keys. The same key with the same request has the same answer for a day; with another
request it is refused and nothing changes."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from ..errors import InvalidRequest
from ..jobs.body import canonical
from ..jobs.job import Guard

TTL_MS = 24 * 3600 * 1000
LONGEST_KEY = 255
VISIBLE = f"1 to {LONGEST_KEY} visible ASCII characters"
_LENGTH = 32


class Key(NamedTuple):
    """A key, and the fingerprint of its request."""

    name: str
    fingerprint: str

    @classmethod
    def of(cls, name: str, request: Mapping[str, Any]) -> Key:
        """The key of this name with a request `{"type", "payload", "options"?}` or
        `{"jobs": […]}`. Raises InvalidRequest where a number of the request is no JSON."""
        try:
            return cls(name, _hash(canonical(request)))
        except ValueError:
            raise InvalidRequest("A number in the body is out of range.") from None

    def guard(self, position: int | None = None) -> Guard:
        """The guard of a single job, or of the job at this position of a bulk request. The store
        holds the text before the slash for the whole request (store/lua/lib/items.lua): one of
        another fingerprint is refused, whichever of its jobs were stored."""
        part = "" if position is None else f"/{position}"
        return Guard(f"key:{_hash(self.name.encode())}{part}", TTL_MS, self.fingerprint)


def is_key(name: str) -> bool:
    """True for 1 to 255 visible ASCII characters."""
    return 1 <= len(name) <= LONGEST_KEY and all("!" <= c <= "~" for c in name)


def _hash(data: bytes) -> str:
    """Hex, because names and fingerprints are fields of a space-separated line in the store."""
    return sha256(data).hexdigest()[:_LENGTH]
