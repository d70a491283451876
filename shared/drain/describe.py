"""Errors as data: type, message and place, safe whatever the error's own methods do."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from ..jobs.history import sanitize

MOST_LEAVES = 10_000
MOST_DESCRIBED = 5


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


def describe(errors: Sequence[BaseException]) -> dict[str, Any]:
    """The first error as data; the others of its group, the first few, in `others`."""
    described = _describe(errors[0])
    if len(errors) > 1:
        described["others"] = [_describe(one) for one in errors[1:MOST_DESCRIBED]]
    return described


def type_name(error: BaseException) -> str:
    """The name of an error's class."""
    return sanitize(type.__dict__["__name__"].__get__(type(error)))


def is_a(error: BaseException, kind: type[BaseException]) -> bool:
    """`isinstance` by the real type: an error may lie about its `__class__`, or fail there."""
    return issubclass(type(error), kind)


def _describe(error: BaseException) -> dict[str, Any]:
    described: dict[str, Any] = {"type": type_name(error), "message": _message(error)}
    where = _where(error)
    if where:
        described["where"] = where
    return described


def _message(error: BaseException) -> str:
    try:
        return sanitize(str.__str__(str(error)))
    except BaseException as failure:  # noqa: BLE001 - a broken __str__ is the handler's own fault
        return f"<{type_name(error)} whose text fails with {type_name(failure)}>"


def _where(error: BaseException) -> str:
    try:
        return sanitize(_place(error))
    except BaseException:  # noqa: BLE001 - code made at run time may have names that are no plain text
        return ""


def _place(error: BaseException) -> str:
    traceback = BaseException.__dict__["__traceback__"].__get__(error)
    if traceback is None:
        return ""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    file = code.co_filename.rsplit("/", 1)[-1]
    return f"{file}:{traceback.tb_lineno} in {code.co_name}"


def _parts(error: BaseException) -> tuple[BaseException, ...]:
    if not is_a(error, BaseExceptionGroup):
        return ()
    parts: tuple[BaseException, ...] = BaseExceptionGroup.__dict__["exceptions"].__get__(error)
    return parts[:MOST_LEAVES]
