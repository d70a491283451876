"""How many drains have called one another: each passes the number on, and the chain ends before
the platform cuts it."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from ..errors import InvalidRequest

HEADER = "Tidegate-Hops"
MOST_HOPS = 10
"""Lambda stops a chain of functions that invoke each other at about 16 invocations, the one that
enqueued included (docs/decisions/0022)."""

_next_hops: ContextVar[int | None] = ContextVar("tidegate_next_hops", default=None)
_running: list[int] = []
"""What the drains of this process would set."""


class Origin(NamedTuple):
    """What a platform started a drain for: a tick, or a nudge after this number of hops."""

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
    if hops is None:  # a thread that a handler has started has no context: it may be any drain's
        in_main = threading.current_thread() is threading.main_thread()
        hops = 0 if in_main else max(_running, default=0)
    return hops if hops <= MOST_HOPS else None


@contextmanager
def drain_of(origin: Origin | None) -> Generator[None, None, None]:
    """A drain that a platform (None: a person) has started: what is called inside the block is one
    hop further."""
    hops = (origin or TICK).hops + 1
    token = _next_hops.set(hops)
    _running.append(hops)
    try:
        yield
    finally:
        _running.remove(hops)
        _next_hops.reset(token)
