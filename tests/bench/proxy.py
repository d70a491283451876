"""A TCP proxy that adds latency, not a bandwidth limit, and can count Redis commands on the way.

`python -m tests.bench.proxy PORT TARGET_PORT ROUND_TRIP_MS COUNT`. Each direction is delayed by
half of the round trip, chunk by chunk, so whatever is pipelined stays in flight together. A line
on stdin is answered with the counts so far.
"""

from __future__ import annotations

import asyncio
import json
import selectors
import sys
from collections import deque

import hiredis


class Counts:
    """Commands as sent, and round trips: how often a client spoke after the server had spoken."""

    def __init__(self) -> None:
        self.commands = 0
        self.round_trips = 0
        self.by_name: dict[str, int] = {}

    def add(self, command: object) -> None:
        self.commands += 1
        name = command[0] if isinstance(command, list) and command else b"?"
        word = name.decode("utf-8", "replace").upper() if isinstance(name, bytes) else "?"
        self.by_name[word] = self.by_name.get(word, 0) + 1


class Side(asyncio.Protocol):
    """One end of a proxied connection; what it receives goes to `other` after `delay` seconds."""

    def __init__(self, delay: float, counts: Counts | None) -> None:
        self.other: Side | None = None
        self.transport: asyncio.Transport | None = None
        self._delay, self._counts = delay, counts
        self._loop = asyncio.get_running_loop()
        self._line: deque[tuple[float, bytes]] = deque()
        self._reader = hiredis.Reader() if counts else None
        self.spoke_last = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._count(data)
        if not self._delay and self.other and self.other.transport:
            self.other.transport.write(data)
            return
        self._line.append((self._loop.time() + self._delay, data))
        if len(self._line) == 1:
            self._loop.call_later(self._delay, self._deliver)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other and self.other.transport:
            self._loop.call_later(self._delay, self.other.transport.close)

    def _deliver(self) -> None:
        now = self._loop.time()
        while self._line and self._line[0][0] <= now:
            data = self._line.popleft()[1]
            if self.other and self.other.transport:
                self.other.transport.write(data)
        if self._line:
            self._loop.call_at(self._line[0][0], self._deliver)

    def _count(self, data: bytes) -> None:
        other = self.other
        if self._counts and self._reader and (other is None or not self.spoke_last):
            self._counts.round_trips += 1
        self.spoke_last = True
        if other is not None:
            other.spoke_last = False
        if self._counts and self._reader:
            self._reader.feed(data)
            while (command := self._reader.gets()) is not False:
                self._counts.add(command)


class Client(Side):
    """The client's end: opens the way to the target and keeps what comes until it stands."""

    def __init__(self, delay: float, counts: Counts | None, target: int) -> None:
        super().__init__(delay, counts)
        self._target = target
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        self._opening = asyncio.create_task(self._open(transport))

    async def _open(self, transport: asyncio.Transport) -> None:
        _, server = await self._loop.create_connection(
            lambda: Side(self._delay, None), "127.0.0.1", self._target
        )
        self.other, server.other = server, self
        transport.resume_reading()


async def serve(port: int, target: int, delay: float, counts: Counts | None) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    server = await loop.create_server(lambda: Client(delay, counts, target), "127.0.0.1", port)
    async with server:
        print("ready", flush=True)
        while await reader.readline():
            print(json.dumps(vars(counts) if counts else {}), flush=True)


def main() -> None:
    port, target, milliseconds, count = (float(word) for word in sys.argv[1:5])
    # epoll rounds its timeouts up to whole milliseconds; select does not.
    with asyncio.Runner(
        loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())
    ) as runner:
        runner.run(serve(int(port), int(target), milliseconds / 2000, Counts() if count else None))


if __name__ == "__main__":
    main()
