"""`Idempotency-Key`: the same key with the same body has the same answer for a day; with another
body it is refused and nothing changes."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from starlette.requests import Request

from ..jobs.job import Guard
from ..jobs.text import canonical
from .body import INVALID
from .problems import Problem

TTL_MS = 24 * 3600 * 1000
LONGEST_KEY = 255
_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Key:
    """A key together with the body it came with."""

    name: str
    fingerprint: str

    def guard(self, position: int = 0) -> Guard:
        """The guard of the job at this position of the body; a single job stands at 0."""
        return Guard(f"key:{_hash(f'{position} {self.name}'.encode())}", TTL_MS, self.fingerprint)


def read_key(request: Request, body: dict[str, Any]) -> Key | None:
    """The request's key, quoted as the IETF draft has it or bare. Raises Problem."""
    text = request.headers.get("idempotency-key")
    if text is None:
        return None
    quoted = len(text) >= 2 and text.startswith('"') and text.endswith('"')
    name = text[1:-1] if quoted else text
    if not 1 <= len(name) <= LONGEST_KEY or not (name.isascii() and name.isprintable()):
        raise Problem(INVALID, f"Idempotency-Key: 1 to {LONGEST_KEY} visible ASCII characters.")
    try:
        return Key(name, _hash(canonical(body)))
    except ValueError:
        raise Problem(INVALID, "A number in the body is out of range.") from None


def _hash(data: bytes) -> str:
    """Names and fingerprints stand in a space-separated line, hence no caller's text in them."""
    return sha256(data).hexdigest()[:_LENGTH]
