"""The text of a stored token: `tg_<prefix>_<id>_<secret>_<checksum>`.

The prefix is that of the deployment's keys, so a token of another deployment is refused without a
read, and so is one that was cut or mistyped: its checksum is wrong. Neither is a secret; only the
digest is compared.
"""

from __future__ import annotations

import re
import secrets
import string
import zlib
from dataclasses import dataclass, field
from hashlib import sha256

MARK = "tg_"
_ALPHABET = string.ascii_letters + string.digits
_SECRET_CHARACTERS = 43
"""Of 62 each: 256 bits."""
_ID_BYTES = 6
_FORM = re.compile(r"tg_([a-z0-9._-]{1,64})_([0-9a-f]{12})_([A-Za-z0-9]{43})_([0-9a-f]{8})\Z")


@dataclass(frozen=True, slots=True)
class TokenText:
    """A text of the right form. `digest`: the SHA-256 of all of it, in hex. One round of SHA-256
    without a salt is enough: the secret has 256 random bits, so there is nothing to guess or to
    look up in a table; a slow hash would only slow down each request."""

    id: str
    text: str = field(repr=False)
    digest: str = field(repr=False)


def new_text(prefix: str) -> TokenText:
    """A random token of this deployment."""
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_CHARACTERS))
    token_id = secrets.token_hex(_ID_BYTES)
    body = f"{MARK}{prefix}_{token_id}_{secret}"
    return _token(token_id, f"{body}_{_checksum(body)}")


def read_text(text: str, prefix: str) -> TokenText | None:
    """The token of this text; None where its form, its checksum or its deployment is another."""
    match = _FORM.match(text)
    if match is None or match[1] != prefix or _checksum(text[:-9]) != match[4]:
        return None
    return _token(match[2], text)


def _token(token_id: str, text: str) -> TokenText:
    return TokenText(token_id, text, sha256(text.encode()).hexdigest())


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
