"""The key of a job: its user or tenant, each of which a queue may limit. An option of the enqueue,
or declared by the job type as a function of the payload."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from ..checks import plain
from ..errors import InvalidOption, InvalidPayload
from ..jobs.history import sanitize

if TYPE_CHECKING:
    from pydantic import BaseModel

    from .queue import JobType

KeyFunction: TypeAlias = Callable[[Any], str | int | None]
"""Makes a job's key of its payload; None: this job has none."""
KEY_LIMIT = 128
WORD = f"1 to {KEY_LIMIT} printable characters without spaces"
LONGEST_TEXT = 80
"""Characters of an error's text, or of a value that is no key."""
NO_KEY = "-"


def key_of(job_type: JobType[Any], payload: BaseModel, given: str | None = None) -> str:
    """The key of a job with this payload; NO_KEY without one. `given`: the option of its enqueue.

    Raises InvalidOption where the job type declares another key, and InvalidPayload where its
    function makes none of this payload.
    """
    if job_type.key is None:
        return NO_KEY if given is None else check_word(given, "key")
    declared = _declared_key(job_type, job_type.key, payload)
    if given not in (None, declared):
        raise InvalidOption(
            f"key: job type {job_type.name!r} declares the key of its jobs; leave it out", "key"
        )
    return declared


def check_word(text: str, name: str) -> str:
    """Text that can stand in a space-separated header; "-" there means none. Raises
    InvalidOption."""
    if not _is_word(text):
        raise InvalidOption(f"{name}: {WORD}", name)
    return plain(text)


def _declared_key(job_type: JobType[Any], function: KeyFunction, payload: BaseModel) -> str:
    what = f"the key of a job of type {job_type.name!r}"
    try:
        value: object = function(payload)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        text = _text(error, str)
        raise InvalidPayload(f"{what} can't be made: {type(error).__name__}: {text}") from error
    if value is None:
        return NO_KEY
    text = ""
    if isinstance(value, str):
        text = plain(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        text = int.__repr__(value)  # an enum's member would show its name
    if not _is_word(text):
        raise InvalidPayload(
            f"{what}: its function answered {_text(value, repr)}; it must be a whole number, or "
            f"1 to {KEY_LIMIT} printable characters without spaces, or None for a job without a key"
        )
    return text


def _text(value: object, make: Callable[[object], str]) -> str:
    """What a caller may see of a value that is the application's."""
    try:
        return sanitize(make(value))[:LONGEST_TEXT]
    except Exception as error:  # noqa: BLE001 - its methods are the application's, too
        return f"<its text fails with {type(error).__name__}>"


def _is_word(text: str) -> bool:
    ok = 1 <= len(text) <= KEY_LIMIT and text != NO_KEY and text.isprintable()
    return ok and not any(c.isspace() for c in text)
