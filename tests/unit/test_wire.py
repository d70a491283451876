"""The wire over real sockets: every way a server can answer, every way a connection can fail."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from shared.errors import Refused
from shared.store.client import wire
from shared.store.client.rest import Rest
from shared.store.client.wire import Wire
from tests.support.certificate import self_signed

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@asynccontextmanager
async def server(
    *answers: bytes | None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answers each request on a connection with the next of `answers`; None, or no more, hangs up.
    Gives its URL and the requests it saw, one b"connected" for every new connection."""
    seen: list[bytes] = []
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(b"connected")
        try:
            while left:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                seen.append(head + await reader.readexactly(length))
                answer = left.pop(0)
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
                if b"content-length" not in answer.lower() and b"chunked" not in answer.lower():
                    return
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/x?y=1", seen


@asynccontextmanager
async def wired(
    connections: int, tls: Callable[[], ssl.SSLContext] | None = None
) -> AsyncIterator[Wire]:
    """A wire that is closed again."""
    made = Wire(connections, tls=tls)
    yield made
    await made.aclose()
    await asyncio.sleep(0)  # what was given up at once is closed by the loop's next round


def answer_one(listening: socket.socket) -> socket.socket:
    """Answers one request of the next connection, in blocking calls for a thread."""
    connection, _address = listening.accept()
    while not connection.recv(4096).endswith(b"[1]"):
        pass
    connection.sendall(OK)
    return connection


async def post(
    transport: Wire, url: str, body: bytes = b"[1]", **timeout: float
) -> tuple[httpx.Response, bytes]:
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), 2.0) | timeout
    request = httpx.Request("POST", url, content=body, extensions={"timeout": timeouts})
    response = await transport.handle_async_request(request)
    async with aclosing(response):
        return response, await response.aread()


async def test_a_request_is_one_piece_and_its_connection_is_reused() -> None:
    async with server(OK, OK) as (url, seen), wired(2) as transport:
        first, content = await post(transport, url, b'["PING"]')
        await post(transport, url)

        assert (first.status_code, content) == (200, b"ok")
        assert str(first.request.url) == url
        assert seen[0] == b"connected"
        assert seen[1].startswith(b"POST /x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:")
        assert seen[1].endswith(b'\r\n\r\n["PING"]')
        assert seen.count(b"connected") == 1


@pytest.mark.parametrize("token", ["a\nb", "a\r\nX-Other: 1", "a\0b", "a\n"])
async def test_a_line_break_in_the_token_reaches_no_header(token: str) -> None:
    async with server(OK) as (url, seen), wired(1) as transport:
        client = Rest(url, token, transport=transport)

        with pytest.raises(Refused, match="UPSTASH_REDIS_REST_TOKEN"):
            await client.execute(["PING"], "test")

        assert not any(b"X-Other" in piece or b"Bearer" in piece for piece in seen)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK, b"ok"),
        (b"HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\nx: chunked-not\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
        (
            CHUNKED + b"2;ext=1\r\nab\r\n3\r\ncde\r\n0\r\nTrailer: x\r\n\r\n",
            b"abcde",
        ),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 200 OK\r\nX: %b\r\nContent-Length: 1\r\n\r\n." % (b"x" * 2**19), b"."),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\n<ht>", b"<ht>"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
            % (len(gzip.compress(b"z" * 999, mtime=0)), gzip.compress(b"z" * 999, mtime=0)),
            b"z" * 999,
        ),
    ],
    ids=["length", "empty", "204", "100", "chunked", "until-closed", "long-head", "status", "gzip"],
)
async def test_what_a_server_may_answer(answer: bytes, body: bytes) -> None:
    async with server(answer) as (url, _seen), wired(1) as transport:
        response, content = await post(transport, url)

        assert content == body
        assert response.status_code in (200, 204, 502)


@pytest.mark.parametrize(
    ("answer", "reused"),
    [
        (OK, True),
        (b"HTTP/1.1 204 No Content\r\nx: chunked-not\r\n\r\n", True),
        (b"HTTP/1.1 304 Not Modified\r\nx: chunked-not\r\n\r\n", True),
        (CHUNKED + b"1A\r\n%b\r\n0\r\n\r\n" % (b"z" * 26), True),
        (CHUNKED + b"0\r\nTrailer: x\r\n\r\n", True),
        (OK.replace(b"Content", b"Connection: keep-alive\r\nContent"), True),
        (OK.replace(b"Content", b"Connection: Close\r\nContent"), False),
        (OK.replace(b"1.1", b"1.0"), False),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", False),
    ],
    ids=["length", "204", "304", "chunked", "trailer", "asked", "close", "1.0", "until-closed"],
)
async def test_a_connection_is_reused_if_its_reply_has_an_end_and_no_close_header(
    answer: bytes, *, reused: bool
) -> None:
    async with server(answer, OK) as (url, seen), wired(1) as transport:
        await post(transport, url)
        _response, content = await post(transport, url)

        assert content == b"ok"
        assert seen.count(b"connected") == (1 if reused else 2)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (None, "the connection was closed before the reply was complete"),
        (b"garbage\r\n\r\n", r"that is no HTTP reply: b'garbage\r\n\r\n'"),
        (
            b"HTTP/1.1 200 OK\r\nno colon\r\ncontent-length: 0\r\n\r\n",
            r"that is no HTTP reply: b'HTTP/1.1 200 OK\r\nno colon\r\ncontent-length: 0\r\n\r\n'",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "content-length is b'-1'"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 4301 + b"\r\n\r\n",
            f"content-length is b'{'9' * 40}'",
        ),
        (CHUNKED + b"not a size\r\n", "the reply's body is not chunked as its head says"),
        (
            CHUNKED + b"1\r\nabc\r\n0\r\n\r\n",
            "a chunk of the reply's body has another length",
        ),
        (
            b"HTTP/1.1 200 OK\r\nX-Something: 9\r\n",
            "the connection was closed before the reply was complete",
        ),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2**20, "the reply's head is over 1048576 bytes"),
    ],
    ids=[
        *("hung-up", "garbage", "bad-field", "bad-length", "long-length"),
        *("bad-chunk", "long-chunk"),
        *("half-a-head", "long-head"),
    ],
)
async def test_what_is_no_answer_leaves_the_outcome_unknown(
    answer: bytes | None, sentence: str
) -> None:
    async with server(answer, OK) as (url, seen), wired(1) as transport:
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await post(transport, url)
        _response, content = await post(transport, url)  # the slot is free, the connection is new

        assert str(caught.value) == sentence
        assert content == b"ok"
        assert seen.count(b"connected") == 2


async def test_a_reply_that_ends_too_early_is_none() -> None:
    async with server(OK[:-1]) as (url, _seen), wired(1) as transport:
        with pytest.raises(httpx.RemoteProtocolError, match=r"^the reply ended 1 bytes too early$"):
            await post(transport, url)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        CHUNKED,
        CHUNKED + b"5\r\nab",
        CHUNKED + b"2\r\nab",
        CHUNKED + b"2\r\nab\r\n0\r\n",
    ],
    ids=["head", "length", "size", "chunk", "end-of-chunk", "trailers"],
)
async def test_a_reply_that_stops_half_way_is_waited_for_no_longer_than_allowed(
    answer: bytes,
) -> None:
    async with server(answer, OK) as (url, _seen), wired(1) as transport:
        with pytest.raises(httpx.ReadTimeout, match=r"^no reply in time$"):
            async with asyncio.timeout(2):  # so that a wire without patience fails, not hangs
                await post(transport, url, read=0.01)


async def test_a_connection_that_is_reset_says_so() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        at_once = struct.pack("ii", 1, 0)  # closing sends a reset
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        writer.transport.abort()

    listening = await asyncio.start_server(reset, "127.0.0.1", 0)
    async with listening, wired(1) as transport:
        with pytest.raises(httpx.ReadError, match="reset by peer"):
            await post(transport, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/")


async def test_an_abandoned_reply_closes_its_connection() -> None:
    async with (
        server(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", None) as (url, _),
        wired(1) as transport,
    ):
        request = httpx.Request("POST", url, content=b"[]")
        response = await transport.handle_async_request(request)
        chunks = response.aiter_bytes()
        assert await anext(chunks) == b"half"
        waiting = asyncio.ensure_future(anext(chunks))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await response.aclose()
        assert transport._idle == []  # noqa: SLF001 - a connection out of step is never reused


async def test_refusal_and_no_time_are_other_errors_than_silence() -> None:
    async with server() as (url, _seen):
        pass
    async with wired(1) as transport:
        with pytest.raises(httpx.ConnectError):
            await post(transport, url)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # to its end
        writer.close()

    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with listening, wired(1) as transport:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        with pytest.raises(httpx.ReadTimeout):
            await post(transport, url, read=0.01)
        with pytest.raises(httpx.ConnectTimeout, match=r"^no connection in time$"):
            await post(transport, url, connect=0.0)
        first = asyncio.create_task(post(transport, url))
        await asyncio.sleep(0)
        with pytest.raises(httpx.PoolTimeout, match=r"^too many requests are under way$") as caught:
            await post(transport, url, pool=0.01)
        assert str(caught.value.request.url) == url
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first


@pytest.mark.parametrize(
    ("url", "port", "secure"),
    [
        ("http://store.example", 80, False),
        ("https://store.example", 443, True),
        ("https://store.example:8443", 8443, True),
    ],
)
@pytest.mark.parametrize(
    ("error", "sentence"), [(OSError("no route"), "^no route$"), (OSError(), "^OSError$")]
)
async def test_a_connection_goes_to_its_url_or_the_error_says_why_not(
    url: str,
    port: int,
    error: OSError,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    secure: bool,
) -> None:
    async def refuse(host: str, asked: int, *, limit: int, ssl: ssl.SSLContext | None) -> None:
        assert (host, asked, ssl is not None) == ("store.example", port, secure)
        raise error

    monkeypatch.setattr(asyncio, "open_connection", refuse)
    async with wired(1) as transport:
        with pytest.raises(httpx.ConnectError, match=sentence):
            await post(transport, url)


@pytest.mark.parametrize("start", [b"", b" ", b"x"])
@pytest.mark.parametrize("unit", [b" ", b"\t", b"x "])
async def test_a_field_of_the_longest_head_is_read(start: bytes, unit: bytes) -> None:
    """Where the steps grow with the square of a head, they take hours: the timeout ends them."""
    value = start + unit * (2**19 // len(unit)) + b"y"
    reply = OK.replace(b"\r\n", b"\r\nX-Long: " + value + b"\r\n", 1)
    async with server(reply) as (url, _seen), wired(1) as transport:
        response, _body = await post(transport, url)
    assert response.headers["x-long"].encode() == value.strip()


async def test_a_connection_that_closed_while_it_was_idle_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "TRUSTED_IDLE", 0.0)  # as after a freeze: nothing was noticed
    async with server(OK + b"and more, unasked", OK) as (url, seen), wired(1) as transport:
        await post(transport, url)
        _response, content = await post(transport, url)

        assert content == b"ok"
        assert seen.count(b"connected") == 2


async def test_an_idle_connection_that_still_stands_is_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "TRUSTED_IDLE", 0.0)  # ask the socket
    async with server(OK, OK) as (url, seen), wired(1) as transport:
        await post(transport, url)
        await post(transport, url)

        assert seen.count(b"connected") == 1


async def test_a_connection_that_was_closed_while_we_were_frozen_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "TRUSTED_IDLE", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as elsewhere:
        listening.settimeout(2)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        async with wired(1) as transport:
            first = elsewhere.submit(answer_one, listening)
            await post(transport, url)
            first.result().close()  # the loop stands still meanwhile and notices nothing
            second = elsewhere.submit(answer_one, listening)
            _response, content = await post(transport, url)
            second.result().close()

            assert content == b"ok"


async def test_a_connection_that_was_seen_to_close_is_not_used() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"[1]")
        writer.write(OK)
        writer.close()

    listening = await asyncio.start_server(once, "127.0.0.1", 0)
    async with listening, wired(1) as transport:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        await post(transport, url)
        (connection,) = transport._idle  # noqa: SLF001 - nothing else tells what the loop has seen
        await connection.reader.read()  # to its end
        _response, content = await post(transport, url)

        assert content == b"ok"


async def test_a_reply_that_is_closed_twice_gives_its_place_back_once() -> None:
    async with server(*[OK] * 9) as (url, seen), wired(1) as transport:
        response, _said = await post(transport, url)
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        await stream.aclose()
        await asyncio.gather(*[post(transport, url) for _ in range(8)])

        assert seen.count(b"connected") == 1


async def test_an_old_connection_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "TRUSTED_IDLE", 0.0)
    monkeypatch.setattr(wire, "MAX_IDLE", 0.0)
    async with server(OK, OK) as (url, seen), wired(1) as transport:
        await post(transport, url)
        await post(transport, url)

        assert seen.count(b"connected") == 2


async def test_no_more_connections_than_allowed() -> None:
    async with server(*[OK] * 20) as (url, seen), wired(3) as transport:
        await asyncio.gather(*[post(transport, url) for _ in range(20)])

        assert seen.count(b"connected") <= 3
        assert len(seen) - seen.count(b"connected") == 20


async def test_over_tls_the_server_must_prove_its_name(tmp_path: Path) -> None:
    certificate, key = self_signed("localhost", tmp_path)
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))

    async with (
        server(OK, OK, tls=theirs) as (url, seen),
        wired(1) as strict,
        wired(1, lambda: trusting) as transport,
    ):
        named = url.replace("http://127.0.0.1", "https://localhost")
        with pytest.raises(httpx.ConnectError):  # no authority has signed it
            await post(strict, named)
        with pytest.raises(httpx.ConnectError):  # vouched for, under another name
            await post(transport, url.replace("http:", "https:"))
        await post(transport, named)
        _response, content = await post(transport, named)

        assert content == b"ok"
        assert seen.count(b"connected") == 1
