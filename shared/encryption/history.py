"""Histories of encrypted jobs: the job's course stays readable; what may repeat its
payload (result, notes, texts of errors, and whatever else a history has) is encrypted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..errors import MissingSecret
from ..extras import MissingExtra
from ..jobs.history import ENCRYPTED, read_history
from .cipher import Place, decrypt, encrypt
from .keyring import Keyring

READABLE = frozenset({
    *("cuts", "cut_after", "parks", "snoozed_since", "misfit_since"),
    *("parked", "progress", "result_error", "runs", "end"),
})  # fmt: skip
"""Fields whose texts are our own and quote nothing of a payload."""
READABLE_OF_ERROR = ("at", "attempt", "type", "where", "stack")
INTEGRITY = {
    "type": "integrity",
    "message": "its record was changed, or moved here from another job: it does not decrypt",
}
"""The error of a job that does not decrypt. Its text is shown to every role."""
HIDDEN = "[encrypted]"
"""Stands for the text of an error where it may not be shown."""


def encrypt_history(keyring: Keyring, queue: str, job_id: str, text: str) -> str:
    """The history to store. One whose encrypted part was not decrypted keeps that part. A function
    that can't encrypt did not decrypt the job either: of its own words on it the readable ones are
    stored."""
    history = read_history(text)
    readable = _readable(history)
    if ENCRYPTED in history:
        readable[ENCRYPTED] = history[ENCRYPTED]
    elif readable != history:
        hidden = {name: history[name] for name in history if history[name] != readable.get(name)}
        with suppress(MissingSecret, MissingExtra):
            key = keyring.first(queue)
            place = Place("history", queue, job_id)
            readable[ENCRYPTED] = f"{key.label} {encrypt(key, place, _json(hidden))}"
    return _json(readable) if readable else ""


def decrypt_history(keyring: Keyring, queue: str, job_id: str, text: str) -> str:
    """The whole history. Raises MissingKey, NotAuthentic and MissingExtra."""
    history = read_history(text)
    encrypted = history.pop(ENCRYPTED, None)
    if encrypted is None:
        return text
    label, _, data = str(encrypted).partition(" ")
    hidden = decrypt(keyring.find(label), Place("history", queue, job_id), data)
    return _json({**history, **json.loads(hidden)})


def with_hidden_texts(history: Mapping[str, Any]) -> dict[str, Any]:
    """A stored history for readers without the key, or without the right to use it."""
    readable = _readable(history)
    for error in readable.get("errors", ()):
        error.setdefault("message", HIDDEN)
    return readable


def _readable(history: Mapping[str, Any]) -> dict[str, Any]:
    readable = {name: history[name] for name in history if name in READABLE}
    errors = history.get("errors")
    if isinstance(errors, list):
        readable["errors"] = [_readable_error(one) for one in errors if isinstance(one, dict)]
    return readable


def _readable_error(error: Mapping[str, Any]) -> dict[str, Any]:
    readable = {name: error[name] for name in READABLE_OF_ERROR if name in error}
    if INTEGRITY.items() <= error.items():
        readable["message"] = error["message"]
    return readable


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
