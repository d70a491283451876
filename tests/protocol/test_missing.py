"""What Upstash has and the embedded store has not: refused in its own name, and documented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.embedded.commands import MISSING, SCRIPTING, SERVED
from shared.embedded.engine import Engine, EngineError, RespEngine
from shared.embedded.fake import FakeEngine

PAGE = Path(__file__).parents[2] / "docs" / "embedded.md"
UPSTASH_HAS = [
    *(["JSON.SET", "a", "$", "1"], ["json.get", "a"], ["SEARCH.QUERY", "i", "x"]),
    *(["FUNCTION", "LIST"], ["FCALL", "f", 0], ["FCALL_RO", "f", 0], ["ACL", "LIST"]),
    ["CONFIG", "SET", "notify-keyspace-events", "KEA"],
]


@pytest.mark.parametrize("command", UPSTASH_HAS, ids=lambda command: str(command[0]))
async def test_what_upstash_has_is_not_refused_in_its_name(client: Any, command: list[Any]) -> None:
    error = await client.fail(*command)

    assert "is not in the embedded store; Upstash has it" in error


@pytest.mark.parametrize("path", ["/subscribe/news", "/monitor", "/SUBSCRIBE/a%20b?x=y"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_event_streams_are_missing_here_not_at_upstash(
    client: Any, method: str, path: str
) -> None:
    response = await client.send(method, path, accept="text/event-stream")

    assert response.status == 400
    assert b"(server-sent events) is not in the embedded store; Upstash has it" in response.body


async def test_a_command_that_the_engine_lacks_is_missing_here(engine: Engine, client: Any) -> None:
    for name in sorted(await _unknown(engine)):
        error = await client.fail(name, "USAGE", "b", "c")
        assert f"'{name}' is not in the embedded store on {engine.name}" in error
        _, answer = await client.post([["SET", "x", 1], [name, "USAGE", "b", "c"]], "/multi-exec")
        assert f"'{name}' is not in the embedded store on {engine.name}" in answer["error"]


async def test_a_script_says_so_too(real: Any, server_engine: RespEngine) -> None:
    for name in sorted(await _unknown(server_engine)):
        for call in ("call", "pcall"):
            error = await real.fail("EVAL", f"return redis.{call}('{name}', 'a')", 0)
            assert "docs/embedded.md lists what valkey lacks" in error


async def test_the_page_names_all_that_is_missing(
    server_engine: RespEngine, fake_engine: FakeEngine
) -> None:
    page = PAGE.read_text("utf-8")
    missing = MISSING | await _unknown(server_engine) | await _unknown(fake_engine)

    assert [name for name in sorted(missing) if f"`{name}`" not in page] == []


async def _unknown(engine: Engine) -> set[str]:
    replies = {name: await engine.execute((name,)) for name in SERVED - SCRIPTING}
    return {
        name
        for name, reply in replies.items()
        if isinstance(reply, EngineError) and str(reply).startswith("ERR unknown command")
    }
