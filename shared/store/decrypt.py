"""Records decrypted for those who may read payloads."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from ..encryption.keyring import Keyring
from ..encryption.record import unlock
from ..jobs.ids import local_id
from .views import JobRecord

R = TypeVar("R", bound=JobRecord)


def decrypted(record: R, keyring: Keyring) -> R:
    """The record with its payload, its result and the texts of its errors. Where it does not
    decrypt, as it was, and `encryption.locked` has the reason."""
    if record.encryption is None or record.encryption.locked is None:
        return record
    queue, job_id = record.queue.name, local_id(record.id)
    encryption, payload, history = unlock(keyring, queue, job_id, record.encryption)
    if payload is None or history is None:
        return replace(record, encryption=encryption)
    return replace(record, encryption=encryption, payload=payload, history=dict(history))
