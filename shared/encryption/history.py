"""Histories of encrypted jobs: the job's course stays readable; what may repeat its
payload (result, notes, texts of errors, and whatever else a history has) is encrypted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..errors import MissingSecret
from ..extras import MissingExtra
from ..jobs.history import ENCRYPTED, ERRORS_KEPT, read_history
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
    hidden = json.loads(decrypt(keyring.find(label), Place("history", queue, job_id), data))
    later = _later_errors(history.get("errors"), hidden.get("errors"))
    history.update(hidden)
    if later:
        history["errors"] = [*history["errors"], *later][-ERRORS_KEPT:]
    return _json(history)


def with_hidden_texts(history: Mapping[str, Any]) -> dict[str, Any]:
    """A stored history for readers without the key, or without the right to use it."""
    return with_messages(_readable(history))


def with_messages(history: dict[str, Any]) -> dict[str, Any]:
    """The history with a text for each error. One of a function that could not encrypt has none."""
    errors = history.get("errors")
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, dict):
            error.setdefault("message", HIDDEN)
    return history


def _later_errors(readable: Any, hidden: Any) -> list[Any]:
    """The errors that functions without the key have added: they are not in the encrypted part."""
    if not isinstance(readable, list) or not isinstance(hidden, list):
        return []
    known = [_which(error) for error in hidden]
    return [error for error in readable if _which(error) not in known]


def _which(error: Any) -> list[Any]:
    """What tells an error from another one, at each level of histories."""
    names = ("at", "attempt", "type")
    return [error.get(name) for name in names] if isinstance(error, dict) else []


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
