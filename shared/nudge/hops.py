"""How many drains have called one another: each tells the next, and the chain ends before the
platform cuts it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from ..errors import InvalidRequest

HEADER = "Tidegate-Hops"
MOST_HOPS = 10
"""Lambda stops a chain of functions that invoke each other at about 16 invocations, the one that
enqueued included (docs/decisions/0022)."""

_next_hops: ContextVar[int] = ContextVar("tidegate_next_hops", default=0)


class Origin(NamedTuple):
    """What a platform started a drain for: a tick, or a nudge after so many hops."""

    hops: int = 0
    nudged: bool = False


TICK = Origin()


def read_origin(hops: Any) -> Origin:
    """The origin of a call with this count of hops: the header's text, the event's number, or None
    where there is none. Raises InvalidRequest."""
    if hops is None:
        return TICK
    text = str(hops)
    if not (text.isascii() and text.isdigit() and len(text) < len("1000")):
        raise InvalidRequest(f"{HEADER}: a number from 0 to 999")
    return Origin(int(text), nudged=True)


def next_hops() -> int | None:
    """The hops of a drain that this code calls: 0 outside of a drain. None where the chain ends."""
    hops = _next_hops.get()
    return hops if hops <= MOST_HOPS else None


@contextmanager
def drain_of(origin: Origin | None) -> Generator[None, None, None]:
    """A drain that a platform (None: a person) has started: what is called inside the block is one
    hop further."""
    token = _next_hops.set((origin or TICK).hops + 1)
    try:
        yield
    finally:
        _next_hops.reset(token)
