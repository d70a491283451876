"""The read-only token: reads pass, and nothing else does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.embedded.commands import SERVED, WRITES
from shared.embedded.engine import Engine
from shared.embedded.protocol import UpstashProtocol


@pytest.fixture
def reader(engine: Engine, client: Any) -> Any:
    """A client whose token is the read-only one; `client` keeps the other on the same store."""
    client.protocol = UpstashProtocol(
        engine, token="secret-token", read_only_token="reads", allowed_scripts=None
    )

    async def send(document: Any, route: str = "/") -> tuple[int, Any]:
        body = json.dumps(document).encode()
        response = await client.send("POST", route, body, token="reads")
        return response.status, json.loads(response.body)

    return send


async def test_it_reads(client: Any, reader: Any) -> None:
    await client.run("SET", "a", "b")

    assert await reader(["GET", "a"]) == (200, {"result": "b"})
    assert await reader([["GET", "a"], ["STRLEN", "a"]], "/pipeline") == (
        200,
        [{"result": "b"}, {"result": 1}],
    )
    assert (await reader([["GET", "a"]], "/multi-exec"))[0] == 200


FORBIDDEN = sorted(WRITES | {"EVAL", "EVALSHA", "SCRIPT", "SCAN", "KEYS", "PUBLISH"})


@pytest.mark.parametrize("name", FORBIDDEN)
async def test_nothing_else_passes_by_any_route(client: Any, reader: Any, name: str) -> None:
    await client.run("SET", "a", "b")
    command = [name, "a", "x", "y"]

    status, answer = await reader(command)
    _, rows = await reader([command], "/pipeline")
    _, discarded = await reader([["GET", "a"], command], "/multi-exec")

    assert name in SERVED
    assert status == 400
    for error in (answer, rows[0], discarded):
        assert error["error"].startswith("NOPERM ")
    assert await client.run("GET", "a") == "b"


async def test_a_read_only_script_can_not_write(client: Any, reader: Any) -> None:
    status, answer = await reader(["EVAL_RO", "return redis.call('SET', KEYS[1], 'x')", 1, "a"])

    assert status == 400
    assert "not allowed" in answer["error"] or answer["error"].startswith("NOPERM ")
    assert await client.run("GET", "a") is None


async def test_without_a_read_only_token_an_empty_one_is_refused(client: Any) -> None:
    for target in ("/get/a", "/get/a?_token="):
        assert (await client.send("GET", target, token="")).status == 401
