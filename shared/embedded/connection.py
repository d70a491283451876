"""A connection to a RESP2 server, and the assignment of replies to calls.

It starts no server and never reconnects; `engine` does both.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

import hiredis

from ..errors import UnknownOutcome

Command: TypeAlias = Sequence[bytes | str]
Reply: TypeAlias = "bytes | int | EngineError | list[Reply] | None"

_MORE = object()


class EngineError(Exception):
    """An error reply, as a value: `str(error)` is the text, code first. Engines return it and never
    raise it. It is an exception class because hiredis requires one for error replies.
    """


class EngineLost(UnknownOutcome):
    """The connection to the local engine broke with this call in flight: it may have run."""


class Connection(asyncio.Protocol):
    """A pipelined connection: replies belong to calls in order, and all calls of one loop iteration
    are one write."""

    def __init__(self) -> None:
        self.lost = False
        self._reader = hiredis.Reader(replyError=EngineError, notEnoughData=_MORE)
        self._waiting: deque[_Batch] = deque()
        self._unsent: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self.closed = self._loop.create_future()
        self.transport: asyncio.Transport | None = None
        self._answered = 0
        self._watching: asyncio.TimerHandle | None = None

    def watch(self, seconds: float, on_stall: Callable[[], None]) -> None:
        """Call `on_stall` whenever calls have waited for `seconds` or more without any reply."""

        def check(answered: int) -> None:
            if self._waiting and self._answered == answered:
                on_stall()
            self._watching = self._loop.call_later(seconds, check, self._answered)

        check(-1)

    def send(self, packed: bytes, expected: int) -> asyncio.Future[list[Reply]]:
        batch = _Batch(self._loop.create_future(), expected)
        self._waiting.append(batch)
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(packed)
        return batch.future

    def abort(self) -> None:
        self.lost = True
        if self.transport is not None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not _MORE:
            batch = self._waiting[0]
            batch.replies.append(reply)
            if len(batch.replies) == batch.expected:
                self._waiting.popleft()
                self._answered += 1
                # The reply of a cancelled call is discarded, so that the next one matches its call.
                if not batch.future.done():
                    batch.future.set_result(batch.replies)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.closed.set_result(None)
        if self._watching is not None:
            self._watching.cancel()
        while self._waiting:
            future = self._waiting.popleft().future
            if not future.done():
                future.set_exception(
                    EngineLost(f"The embedded server closed during the call: {exc or 'closed'}")
                )

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if self.transport is not None and not self.lost:
            self.transport.write(unsent[0] if len(unsent) == 1 else b"".join(unsent))


class _Batch:
    __slots__ = ("expected", "future", "replies")

    def __init__(self, future: asyncio.Future[list[Reply]], expected: int) -> None:
        self.future = future
        self.expected = expected
        self.replies: list[Reply] = []


def pack(args: Command) -> bytes:
    """A command in RESP."""
    # hiredis's stub declares a tuple of one element instead of a tuple of any length.
    packed: bytes = hiredis.pack_command(tuple(args))  # type: ignore[arg-type]
    return packed
