"""The idle child processes of this process: a warm function uses them again."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import Any

from .frames import Message
from .process import ChildProcess

IDLE_SECONDS = 300.0
"""A child that nothing has used for so long is ended."""
MOST_IDLE = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Idle:
    """An idle child and the message that started it."""

    start: Message
    child: ChildProcess


_idle: list[_Idle] = []
_ending: set[asyncio.Future[Any]] = set()
"""The event loop holds its tasks by weak references only."""


def take(start: Message) -> ChildProcess | None:
    """An idle child that was started by an equal message, or None."""
    for one in reversed(_idle):
        if one.start == start:
            _idle.remove(one)
            return one.child
    return None


async def put(start: Message, child: ChildProcess) -> None:
    """Keep a healthy child for another job, for a while. The oldest one is ended for it."""
    one = _Idle(start, child)
    _idle.append(one)
    asyncio.get_running_loop().call_later(IDLE_SECONDS, _expire, one)
    while len(_idle) > MOST_IDLE:
        await _idle.pop(0).child.end()


async def end_idle() -> None:
    """End all idle children."""
    while _idle:
        await _idle.pop().child.end()


def _expire(one: _Idle) -> None:
    if one in _idle:
        _idle.remove(one)
        ending = asyncio.ensure_future(one.child.end())
        _ending.add(ending)
        ending.add_done_callback(_ending.discard)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # a forked process must not speak to them
