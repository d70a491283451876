"""AES-256-GCM under keys of one purpose and one job each. No other module encrypts.

A job's key is derived (HKDF-SHA256) from the named key, the purpose, the queue and the id. So a
text that is moved to another job does not decrypt, and no number of jobs exhausts the random nonces
of one key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..extras import packages_of
from .keyring import EncryptionKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FORM = "tidegate 1"
"""The version of the form. Another one derives other keys."""
NONCE_BYTES = 12
OVERHEAD = NONCE_BYTES + 16
"""Bytes that encryption adds before base64: the nonce and the tag."""
Purpose = Literal["payload", "history"]


class NotAuthentic(Exception):
    """A text does not decrypt: it was changed, or it belongs to another job."""


class Place(NamedTuple):
    """The job to which a text belongs, and its purpose there."""

    purpose: Purpose
    queue: str
    id: str


def encrypt(key: EncryptionKey, place: Place, text: str, context: str = "") -> str:
    """The text as base64 of nonce, ciphertext and tag. `context` is authenticated and not part of
    the result. Raises MissingExtra."""
    nonce = os.urandom(NONCE_BYTES)
    data = _cipher(key, place).encrypt(nonce, text.encode(), context.encode())
    return base64.b64encode(nonce + data).decode()


def decrypt(key: EncryptionKey, place: Place, text: str, context: str = "") -> str:
    """The text that `encrypt` was given. Raises NotAuthentic and MissingExtra."""
    cipher = _cipher(key, place)
    try:
        data = base64.b64decode(text, validate=True)
        if base64.b64encode(data).decode() != text:  # unused bits of the last character
            raise NotAuthentic
        plain = cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], context.encode())
    except (_library().InvalidTag, ValueError, binascii.Error):
        raise NotAuthentic from None
    return plain.decode()


def keyed_hash(key: EncryptionKey, queue: str, text: str) -> str:
    """64 hex digits of a text: equal texts of one queue have equal ones, and without the key none
    can be computed to try a guess."""
    return hmac.digest(_names_key(key.secret, queue), text.encode(), hashlib.sha256).hex()


@lru_cache(maxsize=64)
def _names_key(secret: bytes, queue: str) -> bytes:
    return _derive(secret, f"{FORM}\nnames\n{queue}")


def _cipher(key: EncryptionKey, place: Place) -> AESGCM:
    return _library().AESGCM(_derive(key.secret, "\n".join((FORM, *place))))


def _derive(secret: bytes, info: str) -> bytes:
    library = _library()
    hkdf = library.HKDF(library.SHA256(), length=32, salt=None, info=info.encode())
    return hkdf.derive(secret)


class _Library(NamedTuple):
    """What is used of the package cryptography."""

    AESGCM: type[AESGCM]
    HKDF: type[HKDF]
    SHA256: type[SHA256]
    InvalidTag: type[Exception]


@cache
def _library() -> _Library:
    """Loaded on use: an application without encrypted queues does not even install it."""
    with packages_of("encryption", "an encrypted queue"):
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as above
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415
    return _Library(AESGCM, HKDF, SHA256, InvalidTag)
