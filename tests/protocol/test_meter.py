"""The meter against the engine's own books."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from shared.embedded.engine import Engine

SCRIPT = """
redis.call('SET', KEYS[1], ARGV[1])
for _ = 1, tonumber(ARGV[2]) do redis.pcall('INCR', KEYS[1]) end
return redis.call('GET', KEYS[1])
"""


async def calls(engine: Engine) -> dict[str, int]:
    stats = await engine.execute(("INFO", "commandstats"))
    assert isinstance(stats, bytes)
    counts = re.findall(r"cmdstat_(\S+?):calls=(\d+)", stats.decode())
    return {name: int(count) for name, count in counts}


@pytest.mark.parametrize(
    ("command", "billed"),
    [
        (["SET", "a", 1], 1),
        (["MSET", "a", 1, "b", 2], 1),
        (["PING"], 0),
        (["INFO"], 0),
        (["COMMAND"], 0),
        (["ECHO", "x"], 1),
        (["GET"], 1),
        (["NOSUCH"], 1),
        (["SCRIPT", "LOAD", "return 1"], 1),
        (["EVALSHA", "0" * 40, 0], 1),
        (["EVAL", "return 1", 0], 1),
        (["EVAL", "redis.call('SET', 'a', 1) return redis.call('LPUSH', 'a', 1)", 0], 3),
        (["EVAL", "redis.call('SET', 'a', 1) error('x')", 0], 2),
        (["EVAL", "return redis.pcall('NOSUCH')", 0], 2),
        (["EVAL", SCRIPT, 1, "k", "5", "10"], 13),
    ],
)
async def test_what_a_command_bills(real: Any, command: list[Any], billed: int) -> None:
    assert await real.billed(*command) == billed


async def test_every_command_of_a_batch_is_billed(real: Any) -> None:
    rows = [["SET", "a", 1], ["PING"], ["GET"], ["EVAL", SCRIPT, 1, "k", "5", "3"]]

    await real.post(rows, "/pipeline")
    assert real.protocol.meter.commands == 2 + 6
    await real.post([rows[0], rows[3]], "/multi-exec")
    assert real.protocol.meter.commands == 8 + 7


async def test_inner_calls_agree_with_the_engines_statistics(
    real: Any, server_engine: Engine
) -> None:
    await real.run("EVAL", SCRIPT, 1, "k", "0", "0")
    before, billed = await calls(server_engine), real.protocol.meter.commands

    for repeats in (0, 1, 7, 100):
        await real.run("EVAL", SCRIPT, 1, "k", "0", repeats)

    after, now = await calls(server_engine), real.protocol.meter.commands
    inner = sum(after[name] - before.get(name, 0) for name in ("set", "incr", "get"))
    assert now - billed == inner + 4
    assert inner == 4 * 2 + 108


async def test_requests_and_bytes_are_exact(client: Any) -> None:
    bodies = [b'["SET","a","b"]', b'["GET","a"]', b"broken"]
    answers = [await client.send("POST", "/", body) for body in bodies]
    answers.append(await client.send("POST", "/", b'["GET","a"]', token="wrong"))

    assert client.protocol.meter.snapshot() == {
        "requests": 4,
        "commands": 2,
        "bytes_in": sum(map(len, bodies)) + 11,
        "bytes_out": sum(len(answer.body) for answer in answers),
    }
    assert json.loads(json.dumps(client.protocol.meter.snapshot()))
