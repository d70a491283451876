"""Rows of the archive as fields: a dead letter as everywhere, and what the row adds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..archive.redrive import RedriveVerdict
from ..archive.rows import ArchivedLetter
from ..encryption.keyring import Keyring
from ..store.decrypt import decrypted
from .describe import describe_dead_letter, describe_payload


def describe_letter(letter: ArchivedLetter, keyring: Keyring | None) -> dict[str, Any]:
    """One row without its payload. `keyring`: with the texts of encrypted errors, for readers who
    may see them."""
    shown = readable(letter, keyring)
    return {
        "row": letter.row,
        **describe_dead_letter(shown.record),
        "key": letter.record.key,
        "archived_at": letter.archived_at,
        "redriven_at": letter.redriven_at,
    }


def describe_letter_payload(letter: ArchivedLetter, keyring: Keyring | None) -> dict[str, Any]:
    """The payload of a row, for readers who may see it."""
    return describe_payload(readable(letter, keyring).record)


def describe_verdict(verdict: RedriveVerdict) -> dict[str, Any]:
    """What became of one row of a redrive."""
    letter = verdict.letter
    return {
        "row": letter.row,
        "id": letter.record.id,
        "redriven": verdict.left is None,
        "reason": verdict.reason,
    }


def readable(letter: ArchivedLetter, keyring: Keyring | None) -> ArchivedLetter:
    """The row, decrypted where a keyring is given and has its key."""
    if keyring is None:
        return letter
    return replace(letter, record=decrypted(letter.record, keyring))
