"""The wire when the network forgets its connections, and when its event loop ends."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from shared.store.client.rest import Rest
from shared.store.client.wire import Wire
from tests.support.certificate import self_signed

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"result":1}'


@asynccontextmanager
async def black_hole(answers: dict[int, int]) -> AsyncIterator[tuple[str, list[int]]]:
    """A server. `answers`: how many requests a connection answers before it swallows the others;
    connections that are not named answer all. Gives its URL and each request's connection."""
    seen: list[int] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        number = len(writers)
        left = answers.get(number, 1_000)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"]")
                seen.append(number)
                if left > 0:
                    writer.write(OK)
                left -= 1
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", seen
        for writer in writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@pytest.mark.parametrize(
    "answers",
    [{1: 1}, {1: 1, 2: 1, 3: 1}, {1: 0}],
    ids=["a-kept-connection", "every-kept-connection", "a-new-connection"],
)
async def test_a_request_in_a_black_hole_is_answered_on_a_new_connection_inside_its_deadline(
    answers: dict[int, int],
) -> None:
    async with black_hole(answers) as (url, seen):
        rest = Rest(url, "t")
        if answers[1]:
            await asyncio.gather(*(rest.execute(["PING"], "test") for _ in answers))
        before = len(seen)

        async with asyncio.timeout(0.5):
            assert await rest.execute(["PING"], "test", within=0.4) == 1

        assert len(seen) - before == 2
        assert seen[-1] > len(answers)
        await rest.close()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_a_wire_whose_event_loop_is_closed_gives_its_connections_back(
    tmp_path: Path, *, secure: bool
) -> None:
    theirs, ours = _certified(tmp_path) if secure else (None, None)

    def answer_one(listening: socket.socket) -> bytes:
        """Answer a request; what comes after it, which is nothing once the client has closed."""
        connection, _address = listening.accept()
        if theirs:
            connection = theirs.wrap_socket(connection, server_side=True)
        with connection:
            connection.settimeout(5)
            while not connection.recv(4096).endswith(b"]"):
                pass
            connection.sendall(OK)
            with suppress(ConnectionResetError, ssl.SSLEOFError):
                return connection.recv(1)
            return b""

    async def send(transport: Wire, url: str) -> None:
        request = httpx.Request("POST", url, content=b"[]")
        await (await transport.handle_async_request(request)).aread()

    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as elsewhere:
        transport, loop = Wire(1, tls=(lambda: ours) if ours else None), asyncio.new_event_loop()
        after = elsewhere.submit(answer_one, listening)
        scheme = "https" if secure else "http"
        loop.run_until_complete(
            send(transport, f"{scheme}://localhost:{listening.getsockname()[1]}/")
        )
        loop.close()

        transport.abort()

        assert after.result(5) == b""


def _certified(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The context of a server, and that of a client that trusts it."""
    certificate, key = self_signed("localhost", folder)
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(certificate, key)
    return theirs, ssl.create_default_context(cafile=str(certificate))
