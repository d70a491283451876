"""Upstash's limits on sizes, lowered: keys, members, entries, by every way a write can take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared.embedded.engine import Engine
from shared.embedded.limits import Limits
from shared.embedded.protocol import UpstashProtocol

KEY, MEMBER, ENTRY = 100, 50, 10_000
LONG = "k" * (KEY + 1)
KEY_ERROR = f"ERR max key size exceeded. Limit: {KEY} bytes, Actual: {KEY + 1} bytes"
FULL = "ERR max single record size exceeded. Limit: 10000 bytes, Actual: "
RUN = "return redis.call(unpack(ARGV))"


class EveryScript:
    def __contains__(self, sha: object) -> bool:
        return True


@pytest.fixture
def small(engine: Engine, client: Any) -> Any:
    """On both engines, under low limits."""
    client.protocol = protocol(engine)
    return client


def protocol(engine: Engine, **limits: int) -> UpstashProtocol:
    low = {"key_bytes": KEY, "member_bytes": MEMBER, "entry_bytes": ENTRY, **limits}
    return UpstashProtocol(
        engine, token="secret-token", limits=Limits(**low), allowed_scripts=EveryScript()
    )


async def direct(client: Any, *command: Any) -> str:
    _, answer = await client.post(list(command))
    return str(answer.get("error", ""))


async def pipelined(client: Any, *command: Any) -> str:
    _, answers = await client.post([["ECHO", "x"], list(command)], "/pipeline")
    return str(answers[1].get("error", ""))


async def transacted(client: Any, *command: Any) -> str:
    _, answers = await client.post([list(command)], "/multi-exec")
    return str((answers[0] if isinstance(answers, list) else answers).get("error", ""))


async def scripted(client: Any, *command: Any) -> str:
    _, answer = await client.post(["EVAL", RUN, 1, command[1], *command])
    return str(answer.get("error", ""))


async def undeclared(client: Any, *command: Any) -> str:
    _, answer = await client.post(["EVAL", RUN, 0, *command])
    return str(answer.get("error", ""))


Way = Callable[..., Awaitable[str]]
WAYS = [direct, pipelined, transacted, scripted, undeclared]


@pytest.mark.parametrize(
    "command",
    [
        *(["GET", LONG], ["SET", LONG, "x"], ["DEL", "a", LONG], ["MSET", "a", "x", LONG, "y"]),
        *(["RENAME", "a", LONG], ["LMOVE", "a", LONG, "LEFT", "LEFT"], ["SUNION", "a", LONG]),
        *(["ZUNIONSTORE", LONG, 1, "a"], ["ZUNIONSTORE", "a", 1, LONG], ["ZUNION", 1, LONG]),
        *(["BITOP", "NOT", "a", LONG], ["XREAD", "streams", "a", LONG, "0", "0"]),
        *(["LMPOP", 2, "a", LONG, "LEFT"], ["XGROUP", "CREATE", LONG, "g", "$", "MKSTREAM"]),
    ],
    ids=lambda command: str(command[0]),
)
async def test_a_key_over_its_limit_is_refused_wherever_it_stands(
    small: Any, command: list[Any]
) -> None:
    assert await direct(small, *command) == KEY_ERROR
    assert await small.run("DBSIZE") == 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("command", [[name, LONG, "x"] for name in ("SET", "SADD", "APPEND")])
async def test_a_long_key_is_refused_by_every_way(small: Any, way: Way, command: list[Any]) -> None:
    assert KEY_ERROR in await way(small, *command)
    assert await small.run("DBSIZE") == 0


async def test_a_key_of_the_limit_is_served_and_counted_in_bytes(small: Any) -> None:
    assert await small.run("SET", "k" * KEY, "x") == "OK"
    assert "Actual: 102 bytes" in await small.fail("SET", "é" * 51, "x")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "command",
    [
        ["SADD", "s", "a", "m" * (MEMBER + 1)],
        ["ZADD", "z", 1, "a", 2, "m" * (MEMBER + 1)],
        ["ZINCRBY", "z", 1, "m" * (MEMBER + 1)],
        ["GEOADD", "g", 1, 1, "m" * (MEMBER + 1)],
    ],
    ids=lambda command: str(command[0]),
)
async def test_a_member_over_its_limit_is_refused(small: Any, way: Way, command: list[Any]) -> None:
    error = await way(small, *command)

    assert f"ERR max member size exceeded. Limit: {MEMBER} bytes, Actual: 51 bytes" in error
    assert await small.run("DBSIZE") == 0


async def test_items_fields_and_values_have_no_limit_of_members(small: Any) -> None:
    large = "v" * 1_000
    for command in (["RPUSH", "l", large], ["HSET", "h", large, large], ["SET", "s", large]):
        assert await direct(small, *command) == ""
    assert await direct(small, "SADD", "m", "m" * MEMBER) == ""


def grown(command: str, n: int) -> list[Any]:
    """The n-th small write of a kind to the entry `e`."""
    text = f"{n:040}"
    words: dict[str, list[Any]] = {
        "HSET": [f"f{n}", text],
        "HMSET": [f"f{n}", text],
        "HSETNX": [f"f{n}", text],
        "HINCRBY": [text, 1],
        "HINCRBYFLOAT": [text, 1],
        "ZADD": [n, text],
        "ZINCRBY": [n, text],
        "LINSERT": ["BEFORE", "x", text],
        "XADD": ["*", "f", text],
    }
    return [command, "e", *words.get(command, [text])]


GROWING = [
    *("APPEND", "RPUSH", "LPUSH", "RPUSHX", "LPUSHX", "LINSERT", "HSET", "HMSET", "HSETNX"),
    *("HINCRBY", "HINCRBYFLOAT", "SADD", "ZADD", "ZINCRBY", "XADD"),
]
FIRST = {"RPUSHX": "RPUSH", "LPUSHX": "RPUSH", "LINSERT": "RPUSH"}


async def fill(client: Any, way: Way, command: str) -> int:
    """Write until a write is refused; the number of writes that were not."""
    if command in FIRST:
        await client.run(FIRST[command], "e", "x")
    for n in range(1_000):
        error = await way(client, *grown(command, n))
        if error:
            assert FULL in error
            return n
    raise AssertionError("the entry has no limit")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("command", GROWING)
async def test_an_entry_grown_by_small_writes_is_full_at_its_limit_for_every_way(
    small: Any, way: Way, command: str
) -> None:
    writes = await fill(small, way, command)

    # The overhead of the server's structures counts too, so fewer than the plain bytes fit.
    assert ENTRY / 40 / 4 < writes <= ENTRY / 40
    for other in WAYS:
        assert FULL in await other(small, *grown(command, writes))


async def test_reads_and_deletes_of_a_full_entry_go_on_and_make_room(small: Any) -> None:
    writes = await fill(small, direct, "HSET")

    assert await small.run("HLEN", "e") == writes
    assert await small.run("HGET", "e", "f0") == f"{0:040}"
    assert FULL in await direct(small, "HSET", "e", "large", "v" * 200)
    assert await small.run("HDEL", "e", *(f"f{n}" for n in range(20))) == 20
    assert await direct(small, "HSET", "e", "large", "v" * 200) == ""
    assert await small.run("DEL", "e") == 1
    assert await fill(small, direct, "HSET") > writes / 2


async def test_a_delete_in_the_same_batch_makes_room(small: Any) -> None:
    await fill(small, direct, "RPUSH")
    rows = [["DEL", "e"], ["RPUSH", "e", "v" * 200]]
    assert FULL in await direct(small, *rows[1])

    for route in ("/pipeline", "/multi-exec"):
        _, answers = await small.post(rows, route)
        assert answers == [{"result": 1}, {"result": 1}]
    assert (
        await small.run(
            "EVAL",
            "redis.call('DEL', KEYS[1]) return redis.call('RPUSH', KEYS[1], ARGV[1])",
            1,
            "e",
            "v" * 200,
        )
        == 1
    )


@pytest.mark.parametrize("route", ["/pipeline", "/multi-exec"])
async def test_one_batch_can_not_pass_the_limit(small: Any, route: str) -> None:
    rows = [["RPUSH", "e", "v" * 100]] * 300

    _, answers = await small.post(rows, route)

    accepted = [answer for answer in answers if "result" in answer]
    assert 50 < len(accepted) <= 100
    assert answers[: len(accepted)] == accepted
    assert await small.run("LLEN", "e") == len(accepted)


@pytest.mark.parametrize("call", ["call", "pcall"])
async def test_one_script_can_not_pass_the_limit_and_its_earlier_writes_stay(
    small: Any, call: str
) -> None:
    script = (
        "redis.call('SET', KEYS[2], 'before') "
        f"for i = 1, 300 do local r = redis.{call}('RPUSH', KEYS[1], string.rep('v', 100)) "
        "if type(r) == 'table' then return r end end"
    )

    assert FULL in await small.fail("EVAL", script, 2, "e", "other")

    assert await small.run("GET", "other") == "before"
    assert 50 < await small.run("LLEN", "e") <= 100


async def test_a_whole_value_is_bound_by_the_limit_and_replaces_a_full_entry(small: Any) -> None:
    large = "v" * (ENTRY + 1)
    for command in (["SET", "e", large], ["SETEX", "e", 9, large], ["MSET", "a", "x", "e", large]):
        for way in WAYS:
            assert FULL in await way(small, *command)
    assert await small.run("DBSIZE") == 0
    await fill(small, direct, "APPEND")
    assert await direct(small, "APPEND", "e", "v" * 200)
    assert await direct(small, "SET", "e", "new") == ""
    assert await direct(small, "APPEND", "e", "v" * 200) == ""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("command", [["SETRANGE", "e", ENTRY, "x"], ["SETBIT", "e", ENTRY * 8, 1]])
async def test_an_offset_past_the_limit_is_refused(
    small: Any, way: Way, command: list[Any]
) -> None:
    assert FULL in await way(small, *command)
    assert await small.run("EXISTS", "e") == 0


@pytest.mark.parametrize(
    "command",
    [
        ["COPY", "e", "d"],
        ["RENAME", "e", "d"],
        ["SUNIONSTORE", "d", "e"],
        ["SDIFFSTORE", "d", "e"],
    ],
    ids=lambda command: str(command[0]),
)
@pytest.mark.parametrize("way", [direct, scripted])
async def test_a_full_entry_that_moves_is_full_under_its_new_name(
    small: Any, way: Way, command: list[Any]
) -> None:
    await small.run("SADD", "d", "x")
    await fill(small, direct, "SADD")
    if command[0] == "COPY":
        command = [*command, "REPLACE"]

    assert await way(small, *command) == ""

    assert FULL in await direct(small, "SADD", "d", *(f"{n:050}" for n in range(10)))


@pytest.mark.parametrize("command", [["LMOVE", "l", "e", "LEFT", "LEFT"], ["RPOPLPUSH", "l", "e"]])
@pytest.mark.parametrize("way", [direct, pipelined, transacted])
async def test_items_do_not_move_into_an_entry_over_its_limit(
    engine: Engine, small: Any, way: Way, command: list[Any]
) -> None:
    await small.run("RPUSH", "l", "x")
    await small.run("RPUSH", "e", *(f"{n:0100}" for n in range(60)))
    small.protocol = protocol(engine, entry_bytes=5_000)

    assert "max single record size" in await way(small, *command)
    assert await small.run("LLEN", "l") == 1


@pytest.mark.parametrize("way", WAYS)
async def test_a_store_that_is_opened_later_knows_that_an_entry_is_full(
    engine: Engine, small: Any, way: Way
) -> None:
    await fill(small, direct, "RPUSH")
    small.protocol = protocol(engine)
    if way is undeclared:  # its first write to a key that it has not seen is not measured
        await way(small, "RPUSH", "e", "")

    assert FULL in await way(small, "RPUSH", "e", "v" * 200)


async def test_a_command_with_more_words_than_a_script_takes_is_bound_too(
    small: Any, engine: Engine
) -> None:
    small.protocol = protocol(engine, entry_bytes=100_000)
    members = [f"{n:08}" for n in range(8_000)]

    assert await direct(small, "RPUSH", "e", *members[:4_000]) == ""
    assert "max single record size" in await direct(small, "RPUSH", "e", *members, *members)


async def test_a_command_near_the_limit_is_billed_once(small: Any) -> None:
    await fill(small, direct, "RPUSH")

    assert await small.billed("RPUSH", "e", "v" * 200) == 1
    assert await small.billed("LPOP", "e") == 1
    assert await small.billed("RPUSH", "e", "x") == 1


async def test_replies_near_the_limit_are_as_ever(small: Any) -> None:
    for _ in range(100):  # counted, though nothing grows
        await small.run("ZADD", "e", 1.5, "m" * MEMBER)
    await small.run("ZADD", "e", 1.5, "m")

    assert await small.run("ZADD", "e", "INCR", 1, "m") == "2.5"
    assert await small.run("ZINCRBY", "e", 1, "m") == "3.5"
    assert await small.run("ZADD", "e", "NX", "INCR", 1, "m") is None
    assert (await small.fail("HSET", "e", "f", "v")).startswith("WRONGTYPE ")
    assert (await small.fail("ZADD", "e", "x", "m")).startswith("ERR value is not a valid float")
    assert (await small.fail("ZADD", "e")).startswith("ERR ")


def test_the_limits_are_those_of_upstash() -> None:
    assert Limits() == Limits(
        request_bytes=10_485_760, entry_bytes=104_857_600, key_bytes=32_768, member_bytes=32_768
    )
