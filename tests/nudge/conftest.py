"""A server that answers nudges: what it was sent, and what it answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest


@dataclass
class DrainRoute:
    """A drain route on a port of its own. `answer`: a raw HTTP response; None: it drains, and does
    not answer while the test lasts."""

    answer: bytes | None = None
    requests: list[str] = field(default_factory=list)
    port: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(head.decode())
        self.arrived.set()
        if self.answer is not None:
            writer.write(self.answer)
            await writer.drain()
        else:
            await reader.read()  # until the caller hangs up
        writer.close()


@pytest.fixture
async def route() -> AsyncIterator[DrainRoute]:
    found = DrainRoute()
    async with await asyncio.start_server(found.serve, "127.0.0.1", 0) as server:
        found.port = server.sockets[0].getsockname()[1]
        yield found
