"""Errors as data: type, message, the user's own frames, notes and causes, bounded, and safe
whatever the error's own methods do."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from ..jobs.history import sanitize
from ..jobs.stack import last_frame, own_frames

MOST_LEAVES = 10_000
MOST_DESCRIBED = 5
MOST_CAUSES = 3
MOST_NOTES = 5
LONGEST_NOTE = 500
LONGEST_FRAME = 200
"""Characters."""


def leaves(error: BaseException) -> list[BaseException]:
    """The errors of an exception group, at any depth, the first 10,000; else the error itself."""
    pending, errors = deque([error]), list[BaseException]()
    while pending and len(errors) < MOST_LEAVES:
        one = pending.popleft()
        parts = _parts(one)
        if parts:
            pending.extendleft(reversed(parts))
        else:
            errors.append(one)
    return errors or [error]


def describe(errors: Sequence[BaseException], own: str = "") -> dict[str, Any]:
    """The first error as data; the others of its group, the first few, in `others`. `own`: the
    top-level package of the handler, whose frames are kept."""
    described = _describe(errors[0], own)
    causes = [_describe(cause, own, LONGEST_NOTE) for cause in _causes(errors[0])]
    if causes:
        described["causes"] = causes
    if len(errors) > 1:
        others = errors[1:MOST_DESCRIBED]
        described["others"] = [_describe(one, own, LONGEST_NOTE) for one in others]
    return described


def type_name(error: BaseException) -> str:
    """The name of an error's class."""
    return sanitize(type.__dict__["__name__"].__get__(type(error)))


def is_a(error: BaseException, kind: type[BaseException]) -> bool:
    """`isinstance` by the real type: an error may lie about its `__class__`, or fail there."""
    return issubclass(type(error), kind)


def traceback_of(error: BaseException) -> TracebackType | None:
    """The error's traceback, whatever its class has made of that name."""
    traceback: TracebackType | None = BaseException.__dict__["__traceback__"].__get__(error)
    return traceback


def _describe(error: BaseException, own: str, longest: int | None = None) -> dict[str, Any]:
    described: dict[str, Any] = {"type": type_name(error), "message": message_of(error)[:longest]}
    where, stack = _frames(error, own)
    parts = {"where": where, "stack": stack, "notes": _notes(error)}
    return described | {name: part for name, part in parts.items() if part}


def message_of(error: BaseException) -> str:
    """An error's text, whatever its class has made of that."""
    try:
        return sanitize(str.__str__(str(error)))
    except BaseException as failure:  # noqa: BLE001 - a broken __str__ is the handler's own fault
        return f"<{type_name(error)} whose text fails with {type_name(failure)}>"


def _frames(error: BaseException, own: str) -> tuple[str, list[str]]:
    """The innermost frame of the user's (else of anyone's), and all of the user's."""
    try:
        traceback = traceback_of(error)
        stack = [sanitize(frame)[:LONGEST_FRAME] for frame in own_frames(traceback, own)]
        return (stack[-1] if stack else sanitize(last_frame(traceback) or "")), stack
    except BaseException:  # noqa: BLE001 - code made at run time may have names that are no plain text
        return "", []


def _notes(error: BaseException) -> list[str]:
    try:
        notes = list(error.__notes__)[:MOST_NOTES]
        return [sanitize(str.__str__(str(note)))[:LONGEST_NOTE] for note in notes]
    except BaseException:  # noqa: BLE001 - mostly there are none; else as in message_of
        return []


def _causes(error: BaseException) -> list[BaseException]:
    """What the error was raised from, or while handling, the nearest first."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < MOST_CAUSES:
        cause = _cause(cause)
        if cause is None or cause is error or any(cause is one for one in causes):
            break
        causes.append(cause)
    return causes


def _cause(error: BaseException) -> BaseException | None:
    members = BaseException.__dict__
    cause: BaseException | None = members["__cause__"].__get__(error)
    if cause is None and not members["__suppress_context__"].__get__(error):
        cause = members["__context__"].__get__(error)
    return cause


def _parts(error: BaseException) -> tuple[BaseException, ...]:
    if not is_a(error, BaseExceptionGroup):
        return ()
    parts: tuple[BaseException, ...] = BaseExceptionGroup.__dict__["exceptions"].__get__(error)
    return parts[:MOST_LEAVES]
