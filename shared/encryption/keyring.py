"""Encryption keys by name: the first one encrypts, all decrypt, the last one makes names."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..errors import MissingSecret
from ..jobs.ids import is_name

KEY_BYTES = 32
_FINGERPRINT = b"tidegate fingerprint"


class MissingKey(Exception):
    """A job can't be decrypted here. Its text is the reason for which the job is parked."""


@dataclass(frozen=True)
class EncryptionKey:
    """A named secret of 32 bytes. Keys of jobs are derived from it; it encrypts nothing itself."""

    name: str
    secret: bytes = field(repr=False)

    @cached_property
    def fingerprint(self) -> str:
        """Eight hex digits that tell keys of one name apart and reveal nothing of the secret."""
        return hmac.digest(self.secret, _FINGERPRINT, hashlib.sha256).hex()[:8]

    @property
    def label(self) -> str:
        """What is stored with a job to find its key again: `name/fingerprint`."""
        return f"{self.name}/{self.fingerprint}"


class Keyring:
    """The keys of a deployment."""

    def __init__(self, keys: Sequence[EncryptionKey] = ()) -> None:
        self.keys = tuple(keys)
        self._by_label = {key.label: key for key in self.keys}

    def first(self, queue: str) -> EncryptionKey:
        """The key that encrypts new jobs. Raises MissingSecret."""
        self._require_keys(queue)
        return self.keys[0]

    def last(self, queue: str) -> EncryptionKey:
        """The key that makes names of payloads: an additional key in front of it changes none of
        them. Raises MissingSecret."""
        self._require_keys(queue)
        return self.keys[-1]

    def find(self, label: str) -> EncryptionKey:
        """The key with which a job was encrypted. Raises MissingKey."""
        key = self._by_label.get(label)
        if key is None:
            name = key_name(label)
            known = any(one.name == name for one in self.keys)
            what = (
                "has another value here than when the job was enqueued" if known else "is missing"
            )
            raise MissingKey(f'encryption key "{name}" {what}')
        return key

    def _require_keys(self, queue: str) -> None:
        if not self.keys:
            raise MissingSecret(
                f"queue {queue!r} is declared with encrypt, and TIDEGATE_ENCRYPTION_KEYS is not "
                "set: make a key with `tidegate keys generate`"
            )


def key_name(label: str) -> str:
    """The name of the key in a stored label; "" if it has none."""
    name = label.partition("/")[0]
    return name if is_name(name) else ""


NO_KEYS = Keyring()
