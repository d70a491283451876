"""A download from a real TLS server: the certificate's name, the bounds, the texts of errors."""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpcore
import httpx
import pytest

from shared import Discard
from shared.drain.outcome import retry_after
from shared.fetch import FetchFailed, PublicTransport, address, download, post
from shared.fetch.connection import FRAMED, READ, SPARE, BoundedConnection, BoundedTransport
from tests.support.certificate import self_signed

NAME = "files.example.com"
UNREACHABLE = "no public server answers at this address"
Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A TLS server with a certificate for one name; every request gets the same bytes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._monkeypatch = folder, monkeypatch
        self.requests: list[bytes] = []
        self.asked: list[str] = []

    @asynccontextmanager
    async def answering(self, reply: bytes | Reply, *, name: str = NAME) -> AsyncIterator[str]:
        """The base address while it runs."""
        certificate, key = self_signed(name, self._folder)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        self.trust = ssl.create_default_context(cafile=certificate)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                if isinstance(reply, bytes):
                    writer.write(reply)
                    await writer.drain()
                else:
                    await reply(writer)
            except (OSError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        self._monkeypatch.setattr(address, "PORTS", frozenset({port}))
        async with server:
            yield f"https://{NAME}:{port}"

    async def get(self, url: str, *, most: int = 1000, within: float = 5.0) -> bytes:
        """A download through the real transport, to which this machine counts as public."""
        into, transport = io.BytesIO(), self._transport()
        await download(url, into, max_bytes=most, timeout=within, transport=transport)
        return into.getvalue()

    async def post(self, url: str) -> None:
        """A call through the same transport."""
        await post(url, b"{}", {}, timeout=5.0, transport=self._transport())

    def _transport(self) -> PublicTransport:
        async def resolve(host: str) -> list[str]:
            self.asked.append(host)
            return ["127.0.0.1"]

        inner = BoundedTransport(self.trust)
        return PublicTransport(inner=inner, resolve=resolve, judge="127.0.0.1".__eq__)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(tmp_path, monkeypatch)


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def test_the_connection_goes_to_the_judged_address_under_the_url_s_name(
    server: Server,
) -> None:
    async with server.answering(answer("200 OK", b"a,b\n")) as base:
        assert await server.get(f"{base}/prices.csv?sig=1") == b"a,b\n"

    (request,) = server.requests
    assert request.startswith(b"GET /prices.csv?sig=1 HTTP/1.1\r\n")
    assert f"Host: {base.removeprefix('https://')}".encode() in request
    assert b"Accept-Encoding: identity" in request
    assert server.asked == [NAME], "looked up once: what was judged is what is connected to"


async def test_a_certificate_of_another_name_is_no_answer(server: Server) -> None:
    async with server.answering(answer("200 OK", b"secret"), name="other.example.com") as base:
        with pytest.raises(FetchFailed, match=UNREACHABLE):
            await server.get(f"{base}/")

    assert server.requests == []


async def test_a_name_inside_and_a_name_that_does_not_exist_read_the_same() -> None:
    texts = set()
    for found in (["10.0.0.1"], [], ["1.1.1.1", "::1"], OSError("no such name")):

        async def resolve(_host: str, found: list[str] | OSError = found) -> list[str]:
            if isinstance(found, OSError):
                raise found
            return found

        with pytest.raises(FetchFailed) as caught:
            await download(
                "https://name.example/",
                io.BytesIO(),
                max_bytes=1,
                transport=PublicTransport(resolve=resolve),
            )
        texts.add(str(caught.value))
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    assert texts == {UNREACHABLE}


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\x00\x01\x02",
        b"HTTP/1.1 secret words\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nsecret",
    ],
)
async def test_an_answer_that_is_no_http_fails_without_a_word_of_it(
    server: Server, reply: bytes
) -> None:
    async with server.answering(reply) as base:
        with pytest.raises(FetchFailed) as caught:
            await server.get(f"{base}/?sig=secret")

    assert str(caught.value) == UNREACHABLE


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (answer("404 secret words", b"secret"), "the server answers 404"),
        (answer("204 secret words"), "the server answers 204"),
        (answer("302 Found", b"", "Location: https://127.0.0.1/secret"), "the server redirects"),
        (answer("301 Found", b"", "Location: /secret"), "the server redirects"),
        (answer("200 OK", b"secret", "Content-Encoding: gzip"), "compressed bytes only"),
        (answer("200 OK", b"x" * 1001), "larger than 1000 bytes"),
    ],
)
async def test_an_answer_that_stays_is_refused_without_a_word_of_it(
    server: Server, reply: bytes, text: str
) -> None:
    async with server.answering(reply) as base:
        with pytest.raises(Discard, match=text) as caught:
            await server.get(f"{base}/?sig=secret")

    assert "secret" not in str(caught.value)
    assert NAME not in str(caught.value)
    assert len(server.requests) == 1, "a redirect is not followed"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
async def test_an_answer_that_may_pass_carries_its_retry_after(server: Server, status: int) -> None:
    async with server.answering(answer(f"{status} secret words", b"", "Retry-After: 7")) as base:
        with pytest.raises(FetchFailed, match=f"the server answers {status}") as caught:
            await server.get(f"{base}/?sig=secret")

    assert retry_after(caught.value) == 7
    assert "secret" not in str(caught.value)


async def test_a_server_that_drips_is_left_after_the_time(server: Server) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with server.answering(drip) as base:
        with pytest.raises(FetchFailed, match=UNREACHABLE):
            await server.get(f"{base}/", within=0.3)


async def test_an_endless_answer_is_left_at_the_bound(server: Server) -> None:
    sent = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            sent += 65536
            await writer.drain()

    async with server.answering(flood) as base:
        with pytest.raises(Discard, match="larger than 1000 bytes"):
            await server.get(f"{base}/")

    assert sent < 32 * 2**20, "no more than the buffers between the two"


INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; secret\r\n\r\n"
ENOUGH = 32 * 2**20
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "endless"),
    [
        (b"", INTERIM),
        (b"", HINTS),
        (b"HTTP/1.1 200 OK\r\n", b"X-Secret: words\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Secret: ", b"secret"),
        (CHUNKS, b"1\r\na\r\n"),
        (CHUNKS, b"0000001\r\na\r\n"),
        (CHUNKS, b"a;note=secret-of-the-server-in-an-extension\r\n0123456789\r\n"),
        (CHUNKS + b"0\r\n", b"X-Secret: words\r\n"),
    ],
)
@pytest.mark.parametrize("call", [Server.get, Server.post])
async def test_endless_framing_is_left_at_the_bound(
    server: Server, call: Callable[..., Awaitable[object]], head: bytes, endless: bytes
) -> None:
    sent = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(head)
        while sent < ENOUGH:
            writer.write(endless * (SPARE // len(endless)))
            sent += SPARE
            await writer.drain()

    options = {"most": 2**30} if call is Server.get else {}
    async with server.answering(flood) as base:
        if call is Server.post and head.startswith(CHUNKS):  # its answer's body is not read
            await call(server, f"{base}/", **options)
        else:
            with pytest.raises(Discard) as caught:
                await call(server, f"{base}/", **options)
            assert str(caught.value) == FRAMED

    assert sent < ENOUGH, "no more than the buffers between the two"


@pytest.mark.parametrize(("size", "count"), [(1, 10_000), (20, 20_000), (100, 10_000), (5000, 300)])
async def test_a_file_in_small_chunks_comes_whole(server: Server, size: int, count: int) -> None:
    chunk = b"%x\r\n%b\r\n" % (size, b"x" * size)

    async with server.answering(INTERIM * 20 + CHUNKS + chunk * count + b"0\r\n\r\n") as base:
        assert await server.get(f"{base}/", most=2**22) == b"x" * (size * count)


async def test_other_tasks_go_on_between_small_reads() -> None:
    """Also where bytes are there without a wait, as TLS may have them."""

    class Ready(httpcore.AsyncNetworkStream):
        async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            return b"x" * max_bytes

    async def take_turns() -> None:
        while True:
            turns.append(None)
            await asyncio.sleep(0)

    turns, connection = list[None](), BoundedConnection(Ready())
    other = asyncio.create_task(take_turns())
    reads = [await connection.read(2**20) for _ in range(SPARE // READ)]
    other.cancel()

    assert {len(data) for data in reads} == {READ}
    assert len(turns) >= len(reads)


async def test_the_environment_sends_nothing_elsewhere(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Proxies would resolve the name themselves; a netrc would add a password."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text(f"machine {NAME} login ada password secret-of-netrc\n")

    async with server.answering(answer("200 OK", b"x")) as base:
        assert await server.get(f"{base}/") == b"x"

    assert b"uthorization" not in server.requests[0]


async def test_a_redirect_is_judged_by_the_transport_too() -> None:
    """For a client that does follow: the second address is inside, and no connection is made."""
    connected: list[str] = []

    def hop(request: httpx.Request) -> httpx.Response:
        connected.append(request.url.host)
        return httpx.Response(302, headers={"Location": "https://127.0.0.1/"})

    async def resolve(_host: str) -> list[str]:
        return ["1.1.1.1"]

    transport = PublicTransport(resolve=resolve, inner=httpx.MockTransport(hop))
    async with httpx.AsyncClient(transport=transport, follow_redirects=True) as http:
        with pytest.raises(Discard):
            await http.get("https://name.example/")

    assert connected == ["1.1.1.1"]
