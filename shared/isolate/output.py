"""What a child process writes to stdout and stderr, for the log."""

from __future__ import annotations

import asyncio
import codecs
import os
from collections.abc import Callable

_CHUNK = 2**13
_PIPE = 2**16
"""Bytes that a pipe holds."""


class Output:
    """The read end of the pipe that is both stdout and stderr of a child."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor, self._rest = descriptor, ""
        self._decoder = _decoder()
        self._write: Callable[[str], object] = str
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self, write: Callable[[str], object]) -> None:
        """Hand what is written to `write`, some whole lines at a time, in the running event loop,
        until `detach`."""
        self._write, self._loop = write, asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self._read)

    def detach(self) -> None:
        """Hand over what has arrived, and no more."""
        if self._loop is not None:
            for _ in range(_PIPE // _CHUNK):
                self._read()
            self._stop()
            self._emit(self._rest + self._decoder.decode(b"", final=True))
            self._rest, self._decoder = "", _decoder()

    def close(self) -> None:
        """Close the pipe."""
        self._stop()
        os.close(self._descriptor)

    def _stop(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self._descriptor)
            self._loop = None

    def _read(self) -> None:
        """One chunk: a child that writes without end must not hold the loop."""
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return
        if not data and self._loop is not None:
            self._loop.remove_reader(self._descriptor)
        text = self._decoder.decode(data)  # a character may have arrived in part
        lines, newline, rest = (self._rest + text).rpartition("\n")
        if not newline and len(rest) >= _CHUNK:
            lines, rest = rest, ""
        self._emit(lines)
        self._rest = rest

    def _emit(self, lines: str) -> None:
        text = lines.strip("\n")
        if text:
            self._write(text)


def _decoder() -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder("utf-8")("replace")
