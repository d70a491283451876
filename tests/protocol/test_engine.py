"""The multiplexed connection: order, loss, loops."""

from __future__ import annotations

import asyncio
import gc
import json
import random
from pathlib import Path
from typing import Any

import pytest

from shared.embedded.engine import Engine, EngineError, EngineLost, EngineUnreachable, RespEngine
from shared.embedded.local import LocalRedis
from shared.embedded.protocol import UpstashProtocol

REPLIES = [
    (("SET", "s", "v"), b"OK"),
    (("GET", "s"), b"v"),
    (("GET", "none"), None),
    (("LPUSH", "l", "a", "b"), 2),
    (("LRANGE", "l", "0", "-1"), [b"b", b"a"]),
    (("HSET", "h", "f", "v"), 1),
    (("HGETALL", "h"), [b"f", b"v"]),
    (("HMGET", "h", "f", "none"), [b"v", None]),
    (("ZADD", "z", "1.5", "m"), 1),
    (("ZRANGE", "z", "0", "-1", "WITHSCORES"), [b"m", b"1.5"]),
    (("ZSCORE", "z", "m"), b"1.5"),
    (("SADD", "set", "m"), 1),
    (("SMEMBERS", "set"), [b"m"]),
    (("TYPE", "z"), b"zset"),
    (("TTL", "s"), -1),
    (("EXPIRE", "s", "100"), 1),
    (("GET", b"\xff"), None),
    (("SET", b"\xff\x00", b"\xfe"), b"OK"),
    (("GET", b"\xff\x00"), b"\xfe"),
    (("SETNX", "s", "w"), 0),
    (("LPOP", "l", "5"), [b"b", b"a"]),
    (("INCR", "n"), 1),
]
ERRORS = [
    (("LPUSH", "s", "x"), "WRONGTYPE Operation against a key holding the wrong kind of value"),
    (("GET",), "ERR wrong number of arguments for 'get' command"),
    (("INCR", "s"), "ERR value is not an integer or out of range"),
    (("EVALSHA", "0" * 40, "0"), "NOSCRIPT No matching script"),
]


async def test_engines_answer_alike(engine: Engine) -> None:
    assert [await engine.execute(args) for args, _ in REPLIES] == [reply for _, reply in REPLIES]
    assert await engine.send([args for args, _ in REPLIES[1:2]]) == [b"v"]
    assert await engine.send([]) == []


@pytest.mark.parametrize(("args", "text"), ERRORS, ids=[args[0] for args, _ in ERRORS])
async def test_errors_are_values(engine: Engine, args: tuple[str, ...], text: str) -> None:
    await engine.execute(("SET", "s", "v"))

    reply = await engine.execute(args)

    assert isinstance(reply, EngineError)
    assert str(reply).startswith(text)


async def test_errors_nest(engine: Engine) -> None:
    reply = await engine.execute(("EVAL", "return {1, redis.error_reply('FENCED y')}", "0"))

    assert isinstance(reply, list)
    assert str(reply[1]) == "FENCED y"


async def test_each_caller_gets_its_own_reply(server_engine: RespEngine) -> None:
    seed = random.Random(7)

    async def echo(size: int) -> None:
        text = bytes([size % 251]) * size
        assert await server_engine.execute(("ECHO", text)) == text
        assert await server_engine.send([("ECHO", text), ("PING",)]) == [text, b"PONG"]

    await asyncio.gather(*(echo(seed.choice([1, 10, 1000, 200_000])) for _ in range(200)))


async def test_a_caller_that_gives_up_does_not_shift_the_others(server_engine: RespEngine) -> None:
    async def echo(text: bytes) -> object:
        return await server_engine.execute(("ECHO", text))

    await echo(b"warm")
    calls = [asyncio.create_task(echo(b"%d" % number)) for number in range(20)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()

    replies = await asyncio.gather(*calls[1::2])

    assert replies == [b"%d" % number for number in range(1, 20, 2)]


async def test_concurrent_first_calls_share_one_connection(server_engine: RespEngine) -> None:
    fresh = RespEngine(server_engine._locate, name="x", volatile=True)  # noqa: SLF001

    ids = await asyncio.gather(*(fresh.execute(("CLIENT", "ID")) for _ in range(10)))

    assert len(set(map(str, ids))) == 1
    await fresh.close()


async def test_a_call_in_flight_on_a_lost_connection_has_an_unknown_outcome(
    server_engine: RespEngine, valkey: LocalRedis
) -> None:
    killer = RespEngine(valkey.ensure, name="killer", volatile=True)
    mine = await server_engine.execute(("CLIENT", "ID"))
    blocked = asyncio.create_task(server_engine.execute(("BLPOP", "never", "0")))
    while b"cmd=blpop" not in _bytes(await killer.execute(("CLIENT", "LIST"))):
        pass  # every turn is a round trip, which lets the blocked call go out

    await killer.execute(("CLIENT", "KILL", "ID", str(mine)))

    with pytest.raises(EngineLost):
        await blocked
    assert await server_engine.execute(("PING",)) == b"PONG"
    assert await server_engine.execute(("CLIENT", "ID")) != mine
    await killer.close()


async def test_a_script_that_runs_away_is_killed(valkey: LocalRedis) -> None:
    engine = RespEngine(valkey.ensure, name="x", volatile=True, patience=0.05)
    client = UpstashProtocol(engine, token="t")
    headers = {"authorization": "Bearer t"}
    await engine.execute(("CONFIG", "SET", "busy-reply-threshold", "20"))
    body = json.dumps(["EVAL", "while true do end", 0]).encode()

    answer = await client.handle("POST", "/", "", headers, body)

    assert answer.status == 400
    assert "Script killed by user" in answer.body.decode()
    assert await engine.execute(("CONFIG", "SET", "busy-reply-threshold", "5000")) == b"OK"
    await engine.close()


async def test_closing_ends_calls_in_flight(server_engine: RespEngine) -> None:
    await server_engine.execute(("PING",))
    blocked = asyncio.create_task(server_engine.execute(("BLPOP", "never", "0")))
    await asyncio.sleep(0)

    await server_engine.close()

    with pytest.raises(EngineLost):
        await blocked


async def test_nobody_there_means_nothing_sent(tmp_path: Path, fake_engine: Any) -> None:
    nowhere = RespEngine(lambda: tmp_path / "none.sock", name="x", volatile=True)
    refused = RespEngine(lambda: ("127.0.0.1", 1), name="x", volatile=True)
    await fake_engine.close()

    for engine in (nowhere, refused, fake_engine):
        with pytest.raises(EngineUnreachable):
            await engine.execute(("PING",))


def test_every_event_loop_gets_its_own_connection(valkey: LocalRedis) -> None:
    engine = RespEngine(valkey.ensure, name="x", volatile=True)

    async def turn() -> object:
        number = await engine.execute(("CLIENT", "ID"))
        assert await engine.execute(("CLIENT", "ID")) == number
        await engine.close()
        return number

    assert asyncio.run(turn()) != asyncio.run(turn())
    gc.collect()


def _bytes(reply: object) -> bytes:
    assert isinstance(reply, bytes)
    return reply
