"""The HTTP/1.1 connections of the local server: uvicorn's, with an end to those that stall."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

IDLE_SECONDS = 60.0
"""Seconds without a byte after which a connection is closed, unless the server owes it a reply."""

_NOT_ASCII = re.compile(rb"[^\x00-\x7f]")


class Http(HttpToolsProtocol):
    """A connection that ends if its client sends nothing, or half a request and no more."""

    idle_seconds = IDLE_SECONDS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type] # uvicorn narrows it
        self._received = False
        self._idle = self.loop.call_later(self.idle_seconds, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        self._idle.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received = True
        if not data.isascii() and not self._in_request():
            data = _quoted_line(data)
        super().data_received(data)

    def shutdown(self) -> None:
        if self._awaits_body():
            self.transport.abort()
        else:
            super().shutdown()

    def _check(self) -> None:
        owes_reply = self._in_request() and not self._awaits_body()
        if self._received or owes_reply:
            self._received = False
            self._idle = self.loop.call_later(self.idle_seconds, self._check)
        else:
            self.transport.abort()

    def _in_request(self) -> bool:
        # uvicorn declares a cycle, and has none before the first request.
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _awaits_body(self) -> bool:
        return self._in_request() and self.cycle.more_body


def _quoted_line(data: bytes) -> bytes:
    # Go's server, and so Upstash's, takes raw UTF-8 in a path; httptools takes only ASCII.
    line, end, rest = data.partition(b"\r\n")
    return _NOT_ASCII.sub(lambda byte: b"%%%02X" % ord(byte[0]), line) + end + rest
