"""One connection to a RESP2 server: what goes over it, and how replies find their calls.

Starts nothing and opens nothing again; `engine` does.
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
    """An error reply, as a value: `str(error)` is the text, code first. Never raised by an engine.

    An exception class because that is what hiredis declares error replies to be.
    """


class EngineLost(UnknownOutcome):
    """The connection to the local engine broke with this call in flight: it may have run."""


class Connection(asyncio.Protocol):
    """Pairs replies with calls in order, and writes what one loop tick collects in one go."""

    def __init__(self) -> None:
        self.lost = False
        self._reader = hiredis.Reader(replyError=EngineError, notEnoughData=_MORE)
        self._waiting: deque[_Batch] = deque()
        self._outbox: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self.closed = self._loop.create_future()
        self.transport: asyncio.Transport | None = None
        self._answered = 0
        self._watching: asyncio.TimerHandle | None = None

    def watch(self, patience: float, stuck: Callable[[], None]) -> None:
        """Call `stuck` whenever calls wait and none was answered for `patience` seconds or more."""

        def look(answered: int) -> None:
            if self._waiting and self._answered == answered:
                stuck()
            self._watching = self._loop.call_later(patience, look, self._answered)

        look(-1)

    def send(self, packed: bytes, expected: int) -> asyncio.Future[list[Reply]]:
        batch = _Batch(self._loop.create_future(), expected)
        self._waiting.append(batch)
        if not self._outbox:
            self._loop.call_soon(self._flush)
        self._outbox.append(packed)
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
                # A caller that gave up leaves its place in the line, not its reply.
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
                    EngineLost(f"The embedded server went away during the call: {exc or 'closed'}")
                )

    def _flush(self) -> None:
        outbox, self._outbox = self._outbox, []
        if self.transport is not None and not self.lost:
            self.transport.write(outbox[0] if len(outbox) == 1 else b"".join(outbox))


class _Batch:
    __slots__ = ("expected", "future", "replies")

    def __init__(self, future: asyncio.Future[list[Reply]], expected: int) -> None:
        self.future = future
        self.expected = expected
        self.replies: list[Reply] = []


def pack(args: Command) -> bytes:
    """A command as the bytes to send."""
    # hiredis's stub says a tuple of one element where it means any number.
    packed: bytes = hiredis.pack_command(tuple(args))  # type: ignore[arg-type]
    return packed
