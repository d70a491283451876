"""The loopback HTTP server and the in-process transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from shared.embedded.engine import Engine, RespEngine
from shared.embedded.limits import Limits
from shared.embedded.protocol import UpstashProtocol
from shared.embedded.server import run, serving
from shared.embedded.transport import EmbeddedTransport
from shared.errors import ConfigurationError

TOKEN = "secret-token"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def protocol(server_engine: RespEngine) -> UpstashProtocol:
    return UpstashProtocol(server_engine, token=TOKEN, limits=Limits(request_bytes=100_000))


@pytest.fixture(params=["loopback", "in-process"])
async def http(
    request: pytest.FixtureRequest, protocol: UpstashProtocol
) -> AsyncIterator[httpx.AsyncClient]:
    if request.param == "in-process":
        transport = EmbeddedTransport(protocol)
        async with httpx.AsyncClient(transport=transport, base_url="http://any") as client:
            yield client
    else:
        async with serving(protocol) as url, httpx.AsyncClient(base_url=url) as client:
            yield client


async def test_requests_reach_the_protocol(http: httpx.AsyncClient) -> None:
    answer = await http.post("/set/a%2Fb/x?EX=9", content=b"", headers=HEADERS)
    ttl = await http.post("/", json=["TTL", "a/b"], headers=HEADERS)

    assert answer.json() == {"result": "OK"}
    assert ttl.json() == {"result": 9}
    assert ttl.headers["content-type"] == "application/json"
    assert "upstash-sync-token" in ttl.headers
    assert len(ttl.headers.get_list("date")) == 1


@pytest.mark.parametrize(
    ("method", "target", "headers", "status"),
    [
        ("GET", "/get/a", HEADERS, 200),
        ("HEAD", "/get/a", HEADERS, 200),
        ("GET", "/get", HEADERS, 400),
        ("GET", "/get/a", {}, 401),
        ("GET", f"/get/a?_token={TOKEN}", {}, 200),
        ("DELETE", "/get/a", HEADERS, 405),
    ],
)
async def test_statuses_arrive(
    http: httpx.AsyncClient, method: str, target: str, headers: dict[str, str], status: int
) -> None:
    assert (await http.request(method, target, headers=headers)).status_code == status


async def test_many_requests_at_once(http: httpx.AsyncClient) -> None:
    async def add() -> None:
        for _ in range(20):
            await http.post("/", json=["INCR", "n"], headers=HEADERS)

    await asyncio.gather(*(add() for _ in range(10)))

    assert (await http.post("/", json=["GET", "n"], headers=HEADERS)).json() == {"result": "200"}


async def test_an_oversized_body_is_counted_in_full_but_not_kept(
    http: httpx.AsyncClient, protocol: UpstashProtocol
) -> None:
    answer = await http.post("/set/a", content=b"x" * 1_000_000, headers=HEADERS)

    assert answer.status_code == 400
    assert answer.json()["error"].endswith("Limit: 100000 bytes, Actual: 1000000 bytes")


async def test_the_default_limit_is_ten_megabytes(server_engine: Engine) -> None:
    protocol = UpstashProtocol(server_engine, token=TOKEN)
    async with httpx.AsyncClient(transport=EmbeddedTransport(protocol), headers=HEADERS) as http:
        fits = await http.post("http://any/set/a", content=b"x" * 10_485_760)
        over = await http.post("http://any/set/a", content=b"x" * 10_485_761)

    assert fits.status_code == 200
    assert over.json() == {
        "error": "ERR max request size exceeded. Limit: 10485760 bytes, Actual: 10485761 bytes"
    }


async def test_the_meter_is_served_to_those_who_have_the_token(protocol: UpstashProtocol) -> None:
    async with serving(protocol) as url, httpx.AsyncClient(base_url=url) as http:
        await http.post("/", json=["SET", "a", "b"], headers=HEADERS)
        counts = (await http.get("/_meter", headers=HEADERS)).json()
        refused = await http.get("/_meter")

    assert counts == {"requests": 1, "commands": 1, "bytes_in": 15, "bytes_out": 15}
    assert refused.status_code == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.com", "", "::"])  # noqa: S104
def test_it_binds_nothing_but_loopback(host: str, fake_engine: Engine) -> None:
    with pytest.raises(ConfigurationError, match="this machine only"):
        run(UpstashProtocol(fake_engine, token=TOKEN), host=host, port=0)


async def test_a_taken_port_is_named(protocol: UpstashProtocol) -> None:
    async with serving(protocol) as url:
        with pytest.raises(ConfigurationError, match="Choose another port"):
            async with serving(protocol, port=int(url.rpartition(":")[2])):
                pass


async def test_an_engine_that_is_gone_is_a_503_or_a_connect_error(fake_engine: Engine) -> None:
    protocol = UpstashProtocol(fake_engine, token=TOKEN)
    await fake_engine.close()

    async with serving(protocol) as url, httpx.AsyncClient(headers=HEADERS) as http:
        assert (await http.get(f"{url}/get/a")).status_code == 503
    async with httpx.AsyncClient(transport=EmbeddedTransport(protocol), headers=HEADERS) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get("http://any/get/a")


class LosesReplies:
    """An engine whose connection breaks during every call."""

    name, volatile, sandboxed = "lossy", True, True

    def __init__(self, engine: RespEngine) -> None:
        self._engine = engine

    async def execute(self, args: object) -> object:
        blocked = asyncio.create_task(self._engine.execute(("BLPOP", "never", "0")))
        await asyncio.sleep(0)
        await self._engine.execute(("PING",)) if not self._engine._connections else None  # noqa: SLF001
        await self._engine.close()
        return await blocked


async def test_a_lost_reply_is_a_502_or_a_read_error(server_engine: RespEngine) -> None:
    await server_engine.execute(("PING",))
    protocol = UpstashProtocol(LosesReplies(server_engine), token=TOKEN)  # type: ignore[arg-type]

    async with serving(protocol) as url, httpx.AsyncClient(headers=HEADERS) as http:
        assert (await http.get(f"{url}/get/a")).status_code == 502
    await server_engine.execute(("PING",))
    async with httpx.AsyncClient(transport=EmbeddedTransport(protocol), headers=HEADERS) as http:
        with pytest.raises(httpx.ReadError):
            await http.get("http://any/get/a")
