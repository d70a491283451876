"""Connections that end early, stall, or stay: what a client does besides sending whole requests."""

from __future__ import annotations

import asyncio
import importlib.util
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress

import httpx
import pytest

from shared.embedded import server
from shared.embedded.engine import Command, Reply, RespEngine
from shared.embedded.http import Http
from shared.embedded.protocol import UpstashProtocol
from shared.embedded.server import serving

TOKEN = "secret-token"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
HEAD = f"Host: x\r\nAuthorization: Bearer {TOKEN}\r\n"
POST = f"POST /set/k HTTP/1.1\r\n{HEAD}"
CHUNKED = f"{POST}Transfer-Encoding: chunked\r\n\r\n"
INCOMPLETE = {
    "a shorter body than announced": f"{POST}Content-Length: 1000\r\n\r\nten bytes!",
    "no body at all": f"POST /set/k/v HTTP/1.1\r\n{HEAD}Content-Length: 1\r\n\r\n",
    "a chunk without an end": f"{CHUNKED}5\r\nhello\r\n",
    "half a chunk": f"{CHUNKED}50\r\nhello",
    "half a pipeline": f"POST /pipeline HTTP/1.1\r\n{HEAD}Content-Length: 30\r\n\r\n"
    '[["SET","k","v"]]',
    "a PUT": f"PUT /set/k HTTP/1.1\r\n{HEAD}Content-Length: 20\r\n\r\nshort",
    "half a head": f"GET /set/k/v HTTP/1.1\r\n{HEAD}",
}


@pytest.fixture
def protocol(server_engine: RespEngine) -> UpstashProtocol:
    return UpstashProtocol(server_engine, token=TOKEN)


async def opened(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = url.removeprefix("http://").rpartition(":")
    return await asyncio.open_connection(host, int(port))


@pytest.mark.parametrize("request_text", INCOMPLETE.values(), ids=INCOMPLETE.keys())
@pytest.mark.parametrize("http", ["httptools", "h11"])
async def test_an_incomplete_request_runs_nothing(
    protocol: UpstashProtocol, monkeypatch: pytest.MonkeyPatch, request_text: str, http: str
) -> None:
    if http == "h11":
        find = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name == "httptools" else find(name)
        )
    async with serving(protocol) as url, httpx.AsyncClient(headers=HEADERS) as client:
        await client.post(f"{url}/set/k/before")

        reader, writer = await opened(url)
        writer.write(request_text.encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        await reader.read()

        for _ in range(3):  # every round trip gives the server a turn to act on the lost connection
            answer = await client.get(f"{url}/get/k")
            assert answer.json() == {"result": "before"}


async def test_the_server_stops_at_once_while_half_a_request_is_open(
    protocol: UpstashProtocol,
) -> None:
    async with asyncio.timeout(server.STOP_SECONDS):
        async with serving(protocol) as url:
            connections = [await opened(url) for _ in INCOMPLETE]
            for (_, writer), text in zip(connections, INCOMPLETE.values(), strict=True):
                writer.write(text.encode())
                await writer.drain()
            async with httpx.AsyncClient(headers=HEADERS) as client:
                await client.get(f"{url}/get/k")
    for _, writer in connections:
        writer.close()


class NeverReplies:
    name, volatile, sandboxed = "silent", True, True

    def __init__(self) -> None:
        self.called = asyncio.Event()

    async def execute(self, args: Command) -> Reply:
        self.called.set()
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def send(self, commands: Sequence[Command]) -> list[Reply]:
        return [await self.execute(command) for command in commands]

    async def close(self) -> None:
        pass


async def test_the_server_stops_within_seconds_while_a_request_has_no_reply(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "STOP_SECONDS", 1)
    engine = NeverReplies()
    protocol = UpstashProtocol(engine, token=TOKEN)
    async with asyncio.timeout(5):
        async with serving(protocol) as url:
            reader, writer = await opened(url)
            writer.write(f"GET /get/k HTTP/1.1\r\n{HEAD}\r\n".encode())
            await writer.drain()
            await engine.called.wait()
    await reader.read()
    writer.close()


@pytest.mark.parametrize("text", ["", *INCOMPLETE.values()], ids=["nothing", *INCOMPLETE])
async def test_a_connection_that_stalls_is_closed(
    protocol: UpstashProtocol, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(Http, "idle_seconds", 0.02)
    async with serving(protocol) as url:
        reader, writer = await opened(url)
        writer.write(text.encode())

        async with asyncio.timeout(5):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()


async def test_a_request_that_waits_for_its_reply_is_not_stalled(
    monkeypatch: pytest.MonkeyPatch, server_engine: RespEngine
) -> None:
    monkeypatch.setattr(Http, "idle_seconds", 0.2)
    protocol = UpstashProtocol(server_engine, token=TOKEN)
    script = "local start = os.clock() repeat until os.clock() > start + 0.5 return 'slow'"
    async with serving(protocol) as url, httpx.AsyncClient(headers=HEADERS) as client:
        answer = await client.post(url, json=["EVAL", script, 0])

    assert answer.json() == {"result": "slow"}


async def test_a_body_without_the_token_is_not_kept(protocol: UpstashProtocol) -> None:
    async with serving(protocol) as url, httpx.AsyncClient() as client:
        answer = await client.post(f"{url}/set/k", content=b"x" * 1_000_000)
        over = await client.post(f"{url}/set/k", content=b"x" * 11_000_000)

    assert (answer.status_code, over.status_code) == (401, 401)
    assert protocol.meter.bytes_in == 0


async def test_a_raw_utf8_path_is_the_same_as_a_quoted_one(protocol: UpstashProtocol) -> None:
    async with serving(protocol) as url, httpx.AsyncClient(headers=HEADERS) as client:
        reader, writer = await opened(url)
        for target in ("/set/é%2F/ü", "/getset/é%2F?ä"):
            writer.write(f"GET {target} HTTP/1.1\r\n{HEAD}\r\n".encode())
            assert b"200" in await reader.readline()
            while await reader.readline() != b"\r\n":
                pass
            await reader.readuntil(b"}")
        writer.close()

        answer = await client.post(url, json=["GET", "é/"])
    assert answer.json() == {"result": "ä"}


async def test_a_reply_leaves_at_once(protocol: UpstashProtocol) -> None:
    async def seconds(client: httpx.AsyncClient, url: str) -> float:
        start = time.perf_counter()
        await client.post(url, json=["PING"])
        return time.perf_counter() - start

    async with serving(protocol) as url, httpx.AsyncClient(headers=HEADERS) as client:
        durations = [await seconds(client, url) for _ in range(20)]

    # With Nagle's algorithm every reply but the first waits 40 ms for an acknowledgement.
    assert statistics.median(durations) < 0.03
