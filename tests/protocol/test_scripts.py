"""Scripts: the cache, the guard, errors, and time."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from shared.embedded.engine import Engine
from shared.embedded.guard import MAX_DEPTH
from shared.embedded.protocol import UpstashProtocol

FLAG = "#!lua flags=allow-key-locking\n"
REFUSED = (
    "ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. "
    "Key was: "
)


def sha1(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ("return 1", 1),
        ("return 3.9", 3),
        ("return 'x'", "x"),
        ("return nil", None),
        ("local x = 1", None),
        ("", None),
        ("return true", 1),
        ("return false", None),
        ("return {1, 'a', {2, 'b'}, false, 3}", [1, "a", [2, "b"], None, 3]),
        ("return {1, nil, 3}", [1]),
        ("return {}", []),
        ("return redis.status_reply('FINE')", "FINE"),
        ("return {ok = 'FINE'}", "FINE"),
        ("return {KEYS[1], ARGV[1], #KEYS, #ARGV}", ["k", "v", 1, 1]),
        ("return cjson.encode({1, 2})", "[1,2]"),
        ("return redis.call('SET', KEYS[1], 'x')", "OK"),
        ("return redis.call('GET', 'none')", None),
        ("return redis.pcall('INCRBY', KEYS[1], 5)", 5),
        ("return 1 -- a comment at the end", 1),
        ("local function f(...) return select('#', ...) end return f(1, 2, 3)", 3),
        (FLAG + "return #ARGV", 1),
        ("#!lua\nreturn #ARGV", 1),
    ],
)
async def test_a_script_returns_what_it_returns(client: Any, script: str, result: Any) -> None:
    assert await client.run("EVAL", script, 1, "k", "v") == result


async def test_text_is_no_number_where_one_is_to_be_written_as_in_upstashs_lua(client: Any) -> None:
    write = FLAG + "return string.format('%s %d%% %.0f', ARGV[1], tonumber(ARGV[1]), {})"
    assert await client.run("EVAL", write.format(1700000000123.0), 0, "7") == "7 7% 1700000000123"
    refused = await client.fail("EVAL", write.format("ARGV[1]"), 0, "7")
    assert "string.format: %f takes a number, not a string" in refused


async def test_a_returned_error_comes_back_as_it_is(client: Any) -> None:
    assert await client.fail("EVAL", "return redis.error_reply('FENCED 7')", 0) == "FENCED 7"
    wrong_type = "redis.call('SET', KEYS[1], 'x') return redis.pcall('LPUSH', KEYS[1], 'y')"
    assert (await client.fail("EVAL", wrong_type, 1, "k")).startswith("WRONGTYPE ")


async def test_a_raised_error_is_wrapped_with_its_code_in_the_middle(client: Any) -> None:
    script = "redis.call('SET', KEYS[1], 'x')\nredis.call('LPUSH', KEYS[1], 'y')\nreturn 1"

    error = await client.fail("EVAL", script, 1, "k")

    assert error.startswith("ERR Error running script: @user_script:")
    assert ": WRONGTYPE Operation against a key" in error


@pytest.mark.parametrize("first", ["", FLAG])
async def test_errors_name_the_authors_line(real: Any, first: str) -> None:
    line = 3 if first else 2
    raised = await real.fail("EVAL", f"{first}local x = 1\nerror('boom')", 0)
    called = await real.fail("EVAL", f"{first}local x = 1\nredis.call('LPUSH')\nreturn 1", 0)
    broken = await real.fail("EVAL", f"{first}local x = 1\nreturn x x", 0)

    assert raised == f"ERR Error running script: @user_script:{line}: boom"
    assert f"@user_script:{line}: ERR Wrong number of args" in called
    assert f"user_script:{line if not first else line - 1}: " in broken


@pytest.mark.parametrize("script", ["x = 1", "return nothing", "return 1 end local f = function()"])
async def test_what_redis_refuses_is_refused(real: Any, script: str) -> None:
    assert (await real.fail("EVAL", script, 0)).startswith("ERR Error")
    assert await real.run("EVAL", "return 1", 0) == 1


NESTED = "local t = {} for i = 2, tonumber(ARGV[1]) do t = {1, t} end return t"


@pytest.mark.parametrize("form", [{}, {"upstash_encoding": "base64"}])
async def test_a_deeply_nested_reply_is_an_error_and_no_other_caller_is_harmed(
    real: Any, form: dict[str, str]
) -> None:
    for levels in (MAX_DEPTH, MAX_DEPTH + 1, 1_000, 10_000):
        other, (status, answer) = await asyncio.gather(
            real.run("ECHO", "x"), real.post(["EVAL", NESTED, 0, levels], **form)
        )
        assert other == "x"
        assert (status == 200) == (levels <= MAX_DEPTH)
        assert status == 200 or "nested deeper than" in answer["error"]
    endless = "local t = {1} for i = 1, 3 do t[i] = t end return t"
    assert "nested deeper than" in await real.fail("EVAL", endless, 0)


async def test_a_script_may_catch_its_errors(client: Any) -> None:
    script = "local ok = pcall(redis.call, 'LPUSH', KEYS[1], 'y') return ok and 1 or 0"
    await client.run("SET", "k", "x")

    assert await client.run("EVAL", script, 1, "k") == 0


async def test_evalsha_needs_a_script_seen_before(client: Any) -> None:
    script = "return ARGV[1]"
    error = await client.fail("EVALSHA", sha1(script), 0, "v")
    await client.run("EVAL", script, 0, "v")

    assert error == "NOSCRIPT No matching script. Please use EVAL."
    assert await client.run("EVALSHA", sha1(script), 0, "v") == "v"
    assert await client.run("EVALSHA", sha1(script).upper(), 0, "w") == "w"


async def test_the_sha_is_that_of_the_text_as_received(client: Any) -> None:
    script = FLAG + "return 5"

    assert await client.run("SCRIPT", "LOAD", script) == sha1(script)
    assert await client.run("SCRIPT", "EXISTS", sha1(script), "0" * 40) == [1, 0]
    assert await client.run("EVALSHA", sha1(script), 0) == 5


async def test_script_flush_forgets(client: Any) -> None:
    await client.run("SCRIPT", "LOAD", "return 5")
    await client.run("SCRIPT", "FLUSH")

    assert await client.run("SCRIPT", "EXISTS", sha1("return 5")) == [0]
    assert (await client.fail("EVALSHA", sha1("return 5"), 0)).startswith("NOSCRIPT")


async def test_a_script_the_engine_lost_is_sent_again(real: Any, server_engine: Engine) -> None:
    await real.run("EVAL", "return 5", 0)
    await server_engine.execute(("SCRIPT", "FLUSH"))

    assert await real.run("EVALSHA", sha1("return 5"), 0) == 5


async def test_a_read_only_call_can_not_write(real: Any) -> None:
    await real.run("SET", "k", "v")

    assert await real.run("EVAL_RO", "return redis.call('GET', KEYS[1])", 1, "k") == "v"
    error = await real.fail("EVAL_RO", "return redis.call('DEL', KEYS[1])", 1, "k")
    assert "Write commands are not allowed" in error
    flagged = "#!lua flags=no-writes,allow-key-locking\nreturn redis.call('DEL', KEYS[1])"
    assert "Write commands are not allowed" in await real.fail("EVAL", flagged, 1, "k")


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (["EVAL", "return 1"], "ERR wrong number of arguments for 'eval' command"),
        (["EVALSHA", "x"], "ERR wrong number of arguments for 'evalsha' command"),
        (["EVAL", "return 1", "x"], "ERR value is not an integer or out of range"),
        (["EVAL", "return 1", -1], "ERR Number of keys can't be negative"),
        (["EVAL", "return 1", 1], "ERR Number of keys can't be greater than number of args"),
        (["SCRIPT", "KILL"], "NOTBUSY No scripts in execution right now."),
        (["SCRIPT", "DEBUG", "YES"], "ERR unknown subcommand"),
        (["SCRIPT"], "ERR unknown subcommand"),
    ],
)
async def test_malformed_script_calls_are_refused(
    client: Any, command: list[Any], error: str
) -> None:
    assert (await client.fail(*command)).startswith(error)


async def test_without_the_flag_any_key_may_be_used(client: Any) -> None:
    assert await client.run("EVAL", "return redis.call('SET', 'computed', 1)", 0) == "OK"


UNDECLARED = [
    ("'GET', 'x'", "x"),
    ("'get', 'x'", "x"),
    ("'SET', 7, 1", "7"),
    ("'MGET', KEYS[1], 'x'", "x"),
    ("'DEL', KEYS[1], KEYS[2], 'x'", "x"),
    ("'UNLINK', 'x'", "x"),
    ("'EXISTS', KEYS[1], 'x'", "x"),
    ("'MSET', KEYS[1], 1, 'x', 2", "x"),
    ("'LMPOP', 2, KEYS[1], 'x', 'LEFT'", "x"),
    ("'ZMPOP', 1, 'x', 'MIN'", "x"),
    ("'ZUNION', 2, KEYS[1], 'x'", "x"),
    ("'ZUNIONSTORE', KEYS[1], 2, KEYS[2], 'x'", "x"),
    ("'ZUNIONSTORE', 'x', 1, KEYS[1]", "x"),
    ("'SINTER', KEYS[1], 'x'", "x"),
    ("'SINTERCARD', 2, KEYS[1], 'x'", "x"),
    ("'SINTERSTORE', KEYS[1], KEYS[2], 'x'", "x"),
    ("'RENAME', KEYS[1], 'x'", "x"),
    ("'LMOVE', KEYS[1], 'x', 'LEFT', 'LEFT'", "x"),
    ("'RPOPLPUSH', 'x', KEYS[1]", "x"),
    ("'SMOVE', KEYS[1], 'x', 'm'", "x"),
    ("'COPY', KEYS[1], 'x'", "x"),
    ("'BITOP', 'AND', KEYS[1], 'x'", "x"),
    ("'PFCOUNT', 'x'", "x"),
    ("'XREAD', 'COUNT', 1, 'STREAMS', KEYS[1], 'x', '0', '0'", "x"),
    ("'XINFO', 'STREAM', 'x'", "x"),
    ("'FLUSHALL'", "*"),
]
DECLARED = [
    *("'SET', KEYS[1], 'x'", "'MSET', KEYS[1], 'x', KEYS[2], 'y'", "'DEL', KEYS[1], KEYS[2]"),
    *("'LMPOP', 2, KEYS[1], KEYS[2], 'LEFT', 'COUNT', 5", "'ZADD', KEYS[1], 1, 'x'"),
    *("'ZUNIONSTORE', KEYS[1], 1, KEYS[2], 'WEIGHTS', 2", "'HSET', KEYS[1], 'x', 'y'"),
    *("'COPY', KEYS[1], KEYS[2], 'REPLACE'", "'ZRANGESTORE', KEYS[1], KEYS[2], 0, -1", "'TIME'"),
    *("'LMOVE', KEYS[1], KEYS[2], 'LEFT', 'LEFT'", "'PING'", "'PUBLISH', 'channel', 'x'"),
    *("'XADD', KEYS[1], '*', 'f', 'v'", "'ECHO', 'x'", "'BITOP', 'NOT', KEYS[1], KEYS[2]"),
]


@pytest.mark.parametrize(("call", "key"), UNDECLARED)
async def test_with_the_flag_an_undeclared_key_is_refused(real: Any, call: str, key: str) -> None:
    raised = await real.fail("EVAL", f"{FLAG}local r = redis.call({call}) return r", 2, "a", "b")
    returned = await real.fail("EVAL", f"{FLAG}return redis.pcall({call})", 2, "a", "b")

    assert raised.endswith(REFUSED + key)
    assert returned == REFUSED + key
    assert await real.run("DBSIZE") == 0


@pytest.mark.parametrize("call", DECLARED)
async def test_with_the_flag_declared_keys_are_served(real: Any, call: str) -> None:
    status, _ = await real.post(["EVAL", f"{FLAG}return redis.call({call})", 2, "a", "b"])

    assert status == 200


async def test_a_strict_server_needs_no_flag(engine: Engine, client: Any) -> None:
    client.protocol = UpstashProtocol(
        engine, token="secret-token", strict=True, allowed_scripts={sha1(body) for body in STRICT}
    )

    assert (await client.fail("EVAL", STRICT[0], 0)).endswith(REFUSED + "x")
    assert await client.run("EVAL", STRICT[1], 1, "x") is None


STRICT = ["return redis.call('GET', 'x')", "return redis.call('GET', KEYS[1])"]


async def test_the_clock_is_what_time_answers(engine: Engine, client: Any) -> None:
    now = [1_700_000_000_007]
    script = "local t = redis.call('time') return {t[1], t[2], #ARGV, #KEYS, ARGV[1]}"
    client.protocol = UpstashProtocol(
        engine, token="secret-token", clock=lambda: now[0], allowed_scripts={sha1(script)}
    )

    first = await client.run("EVAL", script, 1, "k", "v")
    now[0] = 5
    second = await client.run("EVALSHA", sha1(script), 1, "k", "v")

    assert first == ["1700000000", "7000", 1, 1, "v"]
    assert second == ["0", "5000", 1, 1, "v"]
    assert await client.run("TIME") == ["0", "5000"]
    assert await client.billed("EVALSHA", sha1(script), 1, "k", "v") == 2


async def test_without_a_sandbox_only_known_scripts_run(fake_engine: Engine, real: Any) -> None:
    known = "return 1"
    real.protocol = UpstashProtocol(
        fake_engine, token="secret-token", allowed_scripts={sha1(known)}
    )

    assert await real.run("EVAL", known, 0) == 1
    assert "not on the list" in await real.fail("EVAL", "return python.eval('1+1')", 0)
    assert "not on the list" in await real.fail("SCRIPT", "LOAD", "return 2")
    assert (await real.fail("EVALSHA", sha1("return 2"), 0)).startswith("NOSCRIPT")
