"""Pipelines and transactions."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest


async def test_a_pipeline_answers_each_command_in_order(client: Any) -> None:
    rows = [["SET", "a", "x"], ["INCR", "a"], ["NOSUCH"], ["GET", "a"], ["BLPOP", "l", 0]]

    status, answers = await client.post(rows, "/pipeline")

    assert status == 200
    assert [next(iter(answer)) for answer in answers] == [
        *("result", "error", "error", "result", "error")
    ]
    assert answers[3] == {"result": "x"}


async def test_scripts_in_a_pipeline_keep_the_order(client: Any) -> None:
    script = "return redis.call('INCR', KEYS[1])"
    rows = [["SET", "n", 1], ["EVAL", script, 1, "n"], ["INCR", "n"], ["EVAL", script, 1, "n"]]

    _, answers = await client.post(rows, "/pipeline")

    assert [answer["result"] for answer in answers] == ["OK", 2, 3, 4]


async def test_a_script_loaded_in_a_pipeline_can_be_called_in_it(client: Any) -> None:
    sha = hashlib.sha1(b"return 7", usedforsecurity=False).hexdigest()
    rows = [["SCRIPT", "LOAD", "return 7"], ["EVALSHA", sha, 0]]

    _, answers = await client.post(rows, "/pipeline")

    assert answers[1] == {"result": 7}


@pytest.mark.parametrize("route", ["/pipeline", "/multi-exec"])
@pytest.mark.parametrize("body", ["x", [], {}, ["PING"], [[]], [["GET", None]]])
async def test_malformed_batches_are_refused_whole(client: Any, route: str, body: Any) -> None:
    status, answer = await client.post(body, route)

    assert (status, list(answer)) == (400, ["error"])


async def test_a_transaction_answers_each_command_and_runs_on_after_an_error(client: Any) -> None:
    rows = [["SET", "a", "x"], ["INCR", "a"], ["SET", "b", "y"]]

    status, answers = await client.post(rows, "/multi-exec")

    assert status == 200
    assert answers[0] == answers[2] == {"result": "OK"}
    assert answers[1]["error"].startswith("ERR value is not an integer")


@pytest.mark.parametrize("bad", [["GET"], ["NOSUCH"], ["BLPOP", "l", 0], ["EVAL", "return 1"]])
async def test_a_discarded_transaction_is_one_error_and_changes_nothing(
    client: Any, bad: list[Any]
) -> None:
    status, answer = await client.post([["SET", "a", "x"], bad], "/multi-exec")

    assert (status, list(answer)) == (400, ["error"])
    assert await client.run("GET", "a") is None


NOT_RUN = [
    ["EVALSHA", "0" * 40, 0],
    ["EVAL", "return x x", 0],
    ["EVAL", "return 1", "many"],
    ["EVAL", "error('boom')", 0],
    ["EVAL_RO", "return redis.call('SET', 'a', 'z')", 0],
    ["SCRIPT", "KILL"],
]


@pytest.mark.parametrize("bad", NOT_RUN, ids=str)
async def test_a_script_that_can_not_run_discards_nothing(real: Any, bad: list[Any]) -> None:
    rows = [["SET", "a", "x"], bad, ["GET", "a"]]

    status, answers = await real.post(rows, "/multi-exec")

    assert status == 200
    assert [next(iter(answer)) for answer in answers] == ["result", "error", "result"]
    assert answers[2] == {"result": "x"}


async def test_scripts_run_inside_a_transaction(client: Any) -> None:
    rows = [["SET", "n", 1], ["EVAL", "return redis.call('INCR', KEYS[1])", 1, "n"], ["COMMAND"]]

    _, answers = await client.post(rows, "/multi-exec")

    assert answers == [{"result": "OK"}, {"result": 2}, {"result": []}]


async def test_base64_reaches_into_batches(client: Any) -> None:
    rows = [["SET", "a", "v"], ["GET", "a"]]

    for route in ("/pipeline", "/multi-exec"):
        _, answers = await client.post(rows, route, upstash_encoding="base64")
        assert answers == [{"result": "OK"}, {"result": "dg=="}]


async def test_nothing_comes_between_the_commands_of_a_transaction(client: Any) -> None:
    async def transact() -> None:
        rows = [["INCR", "n"], ["GET", "n"], ["INCR", "n"], ["GET", "n"]]
        _, answers = await client.post(rows, "/multi-exec")
        first, second = int(answers[1]["result"]), int(answers[3]["result"])
        assert second == first + 1

    async def disturb() -> None:
        await client.post([["INCR", "n"]] * 5, "/pipeline")
        await client.run("INCR", "n")

    await asyncio.gather(*(call() for _ in range(40) for call in (transact, disturb)))

    assert await client.run("GET", "n") == str(40 * (2 + 6))
