"""One request, one answer: forms, statuses, errors and encodings of the REST API."""

from __future__ import annotations

import base64
import json
from email.utils import parsedate_to_datetime
from typing import Any

import hiredis
import pytest

from shared.embedded.engine import Engine, EngineError
from shared.embedded.limits import Limits
from shared.embedded.protocol import UpstashProtocol

UNAUTHORIZED = {"error": "WRONGPASS invalid or missing auth token"}


async def test_a_json_array_is_a_command(client: Any) -> None:
    assert await client.post(["SET", "a", "b"]) == (200, {"result": "OK"})
    assert await client.post(["GET", "a"]) == (200, {"result": "b"})
    assert await client.post(["GET", "none"]) == (200, {"result": None})
    assert await client.post(["DEL", "a"]) == (200, {"result": 1})


async def test_arrays_nest(client: Any) -> None:
    await client.run("RPUSH", "l", "x", "y")

    assert await client.run("LRANGE", "l", 0, -1) == ["x", "y"]
    assert await client.run("LMPOP", 1, "l", "LEFT") == ["l", ["x"]]


async def test_numbers_and_booleans_arrive_as_written(client: Any) -> None:
    body = b'["RPUSH", "l", 1.0, 18446744073709551617, true, false, 1e3]'
    await client.send("POST", "/", body)

    items = await client.run("LRANGE", "l", 0, -1)

    assert items == ["1.0", "18446744073709551617", "true", "false", "1e3"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_the_path_is_a_command(client: Any, method: str) -> None:
    await client.send(method, "/set/foo%2Fbar/b%20c")

    assert await client.run("GET", "foo/bar") == "b c"


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_body_follows_the_path_and_the_query_follows_the_body(
    client: Any, method: str
) -> None:
    response = await client.send(method, "/set/foo?EX=100&NX", b"\x00\xffraw")

    assert response.status == 200
    assert await client.run("TTL", "foo") == 100
    raw = await client.send("GET", "/get/foo", upstash_encoding="base64")
    assert base64.b64decode(json.loads(raw.body)["result"]) == b"\x00\xffraw"


async def test_a_get_has_no_body_argument(client: Any) -> None:
    response = await client.send("GET", "/get/foo", b"ignored")

    assert json.loads(response.body) == {"result": None}


async def test_head_answers_without_a_body(client: Any) -> None:
    response = await client.send("HEAD", "/set/foo/bar")

    assert (response.status, response.body) == (200, b"")
    assert await client.run("GET", "foo") == "bar"


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_methods_are_refused(client: Any, method: str) -> None:
    assert (await client.send(method, "/get/foo")).status == 405


@pytest.mark.parametrize("token", ["", "wrong", "secret-toke", "secret-token2", "é"])
async def test_a_wrong_token_costs_no_command(client: Any, token: str) -> None:
    response = await client.send("POST", "/", b'["GET","a"]', token=token)

    assert (response.status, json.loads(response.body)) == (401, UNAUTHORIZED)
    assert client.protocol.meter.commands == 0
    assert client.protocol.meter.requests == 1


@pytest.mark.parametrize("header", ["secret-token", "Basic secret-token", "Bearersecret-token", ""])
async def test_a_token_without_its_scheme_is_refused(client: Any, header: str) -> None:
    response = await client.send("GET", "/get/a", token="", authorization=header)

    assert response.status == 401


async def test_the_scheme_of_the_token_may_have_any_case(client: Any) -> None:
    response = await client.send("GET", "/get/a", token="", authorization="bearer  secret-token")

    assert response.status == 200


async def test_the_token_may_come_in_the_query(client: Any) -> None:
    good = await client.send("GET", "/set/a/b?_token=secret-token&EX=10", token="")
    bad = await client.send("GET", "/get/a?_token=wrong")

    assert (good.status, bad.status) == (200, 401)
    assert await client.run("TTL", "a") == 10


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "ERR failed to parse the request body: EOF"),
        (b"{", "ERR failed to parse the request body as JSON"),
        (b'["GET", NaN]', "ERR failed to parse the request body as JSON"),
        (b'["GET", "\xff"]', "ERR failed to parse the request body as JSON"),
        (b"[" * 100_000, "ERR failed to parse the request body as JSON"),
        (b'{"a": 1}', "ERR expected JSON array"),
        (b"[]", "ERR empty command"),
        (b'["GET", null]', "ERR null args are not supported"),
        (b'["GET", ["a"]]', 'ERR unsupported arg type: "[": json.Delim'),
        (b'["GET", {}]', 'ERR unsupported arg type: "{": json.Delim'),
        (b'["GET"]', "ERR wrong number of arguments for 'get' command"),
        (b'["NOSUCH", "a"]', "ERR Command is not available: 'NOSUCH'."),
    ],
)
async def test_what_is_no_command_is_a_400(client: Any, body: bytes, error: str) -> None:
    response = await client.send("POST", "/", body)

    assert response.status == 400
    assert json.loads(response.body)["error"].startswith(error)


async def test_a_command_that_fails_is_a_400(client: Any) -> None:
    await client.run("SET", "a", "b")

    assert (await client.fail("LPUSH", "a", "x")).startswith("WRONGTYPE ")


@pytest.mark.parametrize(
    "command",
    [
        *(["BLPOP", "l", 0], ["BRPOP", "l", 0], ["BRPOPLPUSH", "a", "b", 0], ["BZPOPMIN", "z", 0]),
        *(["BLMOVE", "a", "b", "LEFT", "LEFT", 0], ["BLMPOP", 0, 1, "a", "LEFT"]),
        *(["XREAD", "BLOCK", 0, "STREAMS", "s", "$"], ["WATCH", "a"], ["MULTI"], ["EXEC"]),
        *(["SUBSCRIBE", "c"], ["PSUBSCRIBE", "c"], ["CLIENT", "LIST"], ["SELECT", 1], ["RESET"]),
        *(["AUTH", "x"], ["HELLO", 3], ["MONITOR"], ["QUIT"], ["WAITAOF", 1, 0, 0]),
        *(["XREAD", "COUNT", 1, "block", 0, "STREAMS", "s", "$"], ["DEBUG", "SLEEP", 1]),
        *(["SHUTDOWN"], ["SAVE"]),
        *(["MODULE", "LOAD", "x"], ["REPLICAOF", "no", "one"], ["SLAVEOF", "a", 1], ["BGSAVE"]),
        *(
            ["MEMORY", "PURGE"],
            ["CLUSTER", "INFO"],
            ["OBJECT", "ENCODING", "a"],
            ["SWAPDB", 0, 1],
            ["MIGRATE"],
        ),
    ],
    ids=lambda command: str(command[0]),
)
async def test_what_rest_does_not_offer_is_refused(real: Any, command: list[Any]) -> None:
    error = await real.fail(*command)

    assert "is not allowed in REST" in error or "Command is not available" in error


_NAMES = ("streams", "STREAMS", "block", "count", "group", "noack", "g")
_READS = [
    ["GROUP", group, consumer, *count, *noack]
    for group in _NAMES
    for consumer in _NAMES
    for count, noack in (([], []), (["COUNT", 1], []), ([], ["NOACK"]), (["count", 1], ["noack"]))
]


@pytest.mark.parametrize("words", _READS, ids=str)
async def test_no_name_of_a_group_or_consumer_hides_a_blocking_read(
    real: Any, words: list[Any]
) -> None:
    rest = ["STREAMS", "st", ">"]

    blocking = await real.fail("XREADGROUP", *words, "BLOCK", 0, *rest)
    plain = await real.fail("XREADGROUP", *words, *rest)

    assert "is not allowed in REST" in blocking
    assert plain.startswith("NOGROUP ")


async def test_a_stream_named_block_may_be_read(real: Any) -> None:
    await real.run("XADD", "BLOCK", "1-1", "f", "v")

    assert await real.run("XREAD", "STREAMS", "BLOCK", "0") == [["BLOCK", [["1-1", ["f", "v"]]]]]


async def test_waiting_for_replicas_answers_at_once(real: Any) -> None:
    assert await real.run("WAIT", 1, 0) == 0


async def test_command_answers_an_empty_list(client: Any) -> None:
    assert await client.run("COMMAND") == []


async def test_base64_encodes_every_string_but_ok(client: Any) -> None:
    async def get(*command: Any) -> Any:
        return (await client.post(list(command), upstash_encoding="base64"))[1]

    assert await get("SET", "a", "v") == {"result": "OK"}
    assert await get("GET", "a") == {"result": "dg=="}
    assert await get("GET", "none") == {"result": None}
    assert await get("STRLEN", "a") == {"result": 1}
    assert await get("MGET", "a", "none") == {"result": ["dg==", None]}
    assert "WRONGTYPE" in (await get("LPUSH", "a", "x"))["error"]


async def test_invalid_utf8_becomes_the_replacement_character(client: Any) -> None:
    await client.send("POST", "/set/a", b"x\xffy")

    assert await client.run("GET", "a") == "x\N{REPLACEMENT CHARACTER}y"


async def test_half_an_emoji_is_stored_as_the_replacement_character(client: Any) -> None:
    await client.send("POST", "/", b'["SET", "a", "x\\ud83d"]')

    assert await client.run("GET", "a") == "x\N{REPLACEMENT CHARACTER}"


async def test_resp2_is_the_raw_reply(client: Any) -> None:
    async def raw(*command: Any) -> tuple[int, bytes]:
        body = json.dumps(command).encode()
        response = await client.send("POST", "/", body, upstash_response_format="resp2")
        return response.status, response.body

    assert await raw("SET", "a", "bar") == (200, b"+OK\r\n")
    assert await raw("GET", "a") == (200, b"$3\r\nbar\r\n")
    assert await raw("GET", "none") == (200, b"$-1\r\n")
    assert await raw("MGET", "a", "none") == (200, b"*2\r\n$3\r\nbar\r\n$-1\r\n")
    assert (await raw("LPUSH", "a", "x"))[1].startswith(b"-WRONGTYPE ")


BREAKS = ["x\r\n:42", "x\n+OK", "\r", "x\r\n$3\r\nabc\r\n"]
RAISE = [
    "error(ARGV[1])",
    "error({err = ARGV[1]})",
    "return redis.error_reply(ARGV[1])",
    "return {1, redis.error_reply(ARGV[1])}",
]


@pytest.mark.parametrize("script", RAISE)
@pytest.mark.parametrize("text", BREAKS, ids=repr)
async def test_an_error_is_one_resp2_reply_whatever_its_text(
    client: Any, script: str, text: str
) -> None:
    await client.run("SET", "a", "b")
    rows = [["EVAL", script, 0, text], ["GET", "a"]]

    response = await client.send(
        "POST", "/pipeline", json.dumps(rows).encode(), upstash_response_format="resp2"
    )

    reader = hiredis.Reader(replyError=EngineError)
    reader.feed(response.body)
    replies = []
    while (reply := reader.gets()) is not False:
        replies.append(reply)
    assert len(replies) == 2
    assert replies[1] == b"b"


@pytest.mark.parametrize(
    ("route", "headers"),
    [
        ("/", {"upstash_response_format": "resp2", "upstash_encoding": "base64"}),
        ("/", {"upstash_response_format": "resp3"}),
        ("/", {"upstash_encoding": "gzip"}),
        ("/multi-exec", {"upstash_response_format": "resp2"}),
    ],
)
async def test_formats_that_do_not_exist_are_refused(
    client: Any, route: str, headers: dict[str, str]
) -> None:
    status, document = await client.post([["PING"]], route, **headers)

    assert status == 400
    assert "Upstash" in document["error"] or "resp2" in document["error"]


async def test_a_request_over_the_limit_is_refused_with_its_size(engine: Engine) -> None:
    protocol = UpstashProtocol(engine, token="t", limits=Limits(request_bytes=100))
    headers = {"authorization": "Bearer t"}

    response = await protocol.handle("POST", "/set/a", "", headers, b"x" * 101)

    assert response.status == 400
    assert json.loads(response.body) == {
        "error": "ERR max request size exceeded. Limit: 100 bytes, Actual: 101 bytes"
    }
    assert protocol.meter.commands == 0


async def test_the_sync_token_advances(client: Any) -> None:
    first = dict((await client.send("GET", "/get/a")).headers)[b"upstash-sync-token"]
    second = dict((await client.send("GET", "/get/a", upstash_sync_token="41")).headers)[
        b"upstash-sync-token"
    ]

    assert int(second) > max(int(first), 41)


async def test_answers_are_dated(client: Any) -> None:
    headers = dict((await client.send("GET", "/get/a")).headers)

    assert parsedate_to_datetime(headers[b"date"].decode()).year > 2000
    assert headers[b"content-type"] == b"application/json"
