"""The encrypted parts of a stored job, for readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..extras import MissingExtra
from ..jobs.body import Body
from ..jobs.history import ENCRYPTED, read_history
from .cipher import NotAuthentic
from .history import INTEGRITY, decrypt_history, with_hidden_texts, with_messages
from .jobs import decrypt_payload
from .keyring import Keyring, MissingKey, key_name


@dataclass(frozen=True, slots=True)
class Encryption:
    """How a stored job is encrypted. `key`: the name of its key. `locked`: why its payload, its
    result and the texts of its errors are not here; None where they are."""

    key: str
    locked: str | None
    stored: str = field(repr=False)
    history: str = field(repr=False)

    @property
    def hides_history(self) -> bool:
        """True if its history has an encrypted part that is not here."""
        return self.locked is not None and f'"{ENCRYPTED}"' in self.history


def lock(body: Body, stored: str | bytes, history: str) -> tuple[Encryption | None, dict[str, Any]]:
    """How a record is encrypted, and its history as every reader may see it."""
    if not body.encryption or isinstance(stored, bytes):
        return None, read_history(history)
    key = key_name(body.encryption)
    encryption = Encryption(key, f'encrypted with key "{key}"', stored, history)
    return encryption, with_hidden_texts(read_history(history))


def unlock(
    keyring: Keyring, queue: str, job_id: str, encryption: Encryption
) -> tuple[Encryption, str | None, Mapping[str, Any] | None]:
    """The same, decrypted: with the payload and the history. Where they do not decrypt, these are
    None, and `locked` has the reason. A payload of which only the first line was read is ""."""
    payload = ""
    try:
        if not encryption.stored.endswith("\n"):
            payload = str(decrypt_payload(keyring, queue, job_id, encryption.stored).payload)
        history = decrypt_history(keyring, queue, job_id, encryption.history)
    except (MissingKey, MissingExtra) as missing:
        return replace(encryption, locked=str(missing)), None, None
    except NotAuthentic:
        return replace(encryption, locked=f"integrity: {INTEGRITY['message']}"), None, None
    return replace(encryption, locked=None), payload, with_messages(read_history(history))
