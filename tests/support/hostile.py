"""Exceptions that a handler could raise to break its engine, and strategies that draw them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st

from shared import Cancel, Discard, RetryLater, Snooze
from shared.errors import InvalidPayload

HEADER_TEXTS = st.one_of(
    st.text(max_size=40),
    st.integers().map(str),
    st.floats().map(str),
    st.text("0123456789٣² .,:+-eE", max_size=30),
    st.datetimes().map(lambda when: when.strftime("%a, %d %b %Y %H:%M:%S GMT")),
    st.sampled_from(
        [
            "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
            "Wed, 21 Oct 2026 07:28:00 -0000",
            "Wed, 21 Oct 2026 07:28:00 +9999",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "9" * 5000,
            "",
        ]
    ),
)
ANYTHING: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**400)]),
    st.floats(),
    st.text(max_size=10),
    st.binary(max_size=10),
    st.timedeltas(),
    st.decimals(),
    st.complex_numbers(),
    st.lists(st.integers(), max_size=2),
    st.builds(object),
    HEADER_TEXTS,
)
_CLASSES: list[type[BaseException]] = [
    Exception,
    ValueError,
    OSError,
    KeyError,
    BaseException,
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
    StopIteration,
    StopAsyncIteration,
    asyncio.CancelledError,
    MemoryError,
    RecursionError,
    RetryLater,
    Snooze,
    Discard,
    Cancel,
    InvalidPayload,
]


class Explosive:
    """Fails at whatever is done with it."""

    def __init__(self, failure: BaseException) -> None:
        object.__setattr__(self, "failure", failure)

    def __getattribute__(self, name: str) -> Any:
        raise object.__getattribute__(self, "failure")

    __str__ = __repr__ = __bool__ = __iter__ = __float__ = __eq__ = __lt__ = __hash__ = (  # type: ignore[assignment]
        lambda self, *_: Explosive.__getattribute__(self, "")
    )


@st.composite
def failures(draw: st.DrawFn) -> BaseException:
    """An exception of any class, made without its own constructor."""
    made = draw(st.sampled_from(_CLASSES))
    return made.__new__(made)


def values() -> st.SearchStrategy[Any]:
    """Values for attributes of an exception, some of which fail at every use."""
    headers = st.dictionaries(st.sampled_from(["retry-after", "date"]), ANYTHING | HEADER_TEXTS)
    response = headers.map(lambda one: SimpleNamespace(headers=one))
    return st.one_of(ANYTHING, response, failures().map(Explosive), failures())


@st.composite
def hostile(draw: st.DrawFn) -> BaseException:
    """An exception whose class has odd attributes and methods that fail."""
    base = draw(st.sampled_from(_CLASSES))
    body: dict[str, Any] = {}
    for name in draw(st.sets(st.sampled_from(["__str__", "__repr__", "__getattribute__", "args"]))):
        body[name] = _raising(draw(failures()))
    for name in draw(st.sets(st.sampled_from(["seconds", "response", "__class__", "exceptions"]))):
        value = draw(values())
        body[name] = property(_raising(draw(failures()))) if draw(st.booleans()) else value
    name = draw(st.sampled_from(["Odd", "", "\u202e", "x" * 5000, "a\x1bb"]))
    kind = type(name, (base,), body)
    return base.__new__(kind)


def groups() -> st.SearchStrategy[BaseException]:
    """Hostile exceptions, alone and in groups of groups."""
    return st.recursive(
        hostile(),
        lambda inner: st.lists(inner, min_size=1, max_size=4).map(_group),
        max_leaves=12,
    )


def deep_group(error: BaseException, depth: int) -> BaseException:
    """The error inside so many groups."""
    for _ in range(depth):
        error = BaseExceptionGroup("deeper", [error])
    return error


def _group(parts: list[BaseException]) -> BaseException:
    try:
        return BaseExceptionGroup("group", parts)
    except BaseException:  # noqa: BLE001 - making a group reads `__class__`, which may fail
        return parts[0]


def _raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise error

    return fail


ARGUMENTS = st.one_of(ANYTHING, values(), st.just(Decimal(3)), st.just(timedelta(seconds=3)))
"""Arguments for signals."""
