"""The GopherLua server answers as a real server does: conversions, errors, the script cache."""

from __future__ import annotations

import threading

import pytest

from tests.gopher.conftest import Run
from tests.simulation.server import connect, exchange
from tests.support.servers import GOPHERLUA, Servers

SCRIPTS = [
    *("return 1", "return 3.99", "return -3.99", "return 2^53-1", "return 'text'"),
    *("return", "return nil"),
    *("return false", "return true", "return {}", "return {1, 2, nil, 4}"),
    "return {1, {'x', false}, true}",
    *("return {ok='fine'}", "return {err='MY problem'}", "return {1, {ok='fine'}, 2}"),
    *("return redis.error_reply('MY problem')", "return redis.error_reply('problem')"),
    *("return redis.error_reply('-MY problem')", "return redis.error_reply(1)"),
    *("return redis.status_reply('fine')", "return redis.sha1hex('text')"),
    *("error('boom')", "error({err='MY boom'})", "\n\nlocal function f() error('deep') end\nf()"),
    *("return redis.call('GET')", "return redis.pcall('GET')", "return redis.call('NO-SUCH')"),
    *("return redis.call({})", "return redis.call('MULTI')"),
    *("return redis.call('LPUSH', 'text', 1)", "return redis.pcall('LPUSH', 'text', 1).err"),
    *("return redis.call('GET', 'text')", "return redis.call('GET', 'none')"),
    "return redis.call('PING').ok",
    *("return type(redis.call('GET', 'none'))", "return type(redis.call('LPOP', 'none', 2))"),
    "redis.call('RPUSH', 'l', 1, 1.5, 2^53-1, 0.1, 'x') return redis.call('LRANGE', 'l', 0, -1)",
    *("return redis.call('HGETALL', 'none')", "return redis.call('ZADD', 'z', 'LT', '2', 'm')"),
    *("return {#KEYS, KEYS[1], #ARGV, ARGV[1], ARGV[2], ARGV[3]}", "redis.call = 1"),
    *("created = 1", "return missing", "return os", "return io", "return loadstring('return 5')()"),
]  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_answers_as_on_a_real_server(
    gopherlua: Run, real: Run, same_words: bool, script: str
) -> None:
    for run in (gopherlua, real):
        run("SET", "text", "value")

    answers = [run("EVAL", script, 1, "key", "a", "b\0\r\n") for run in (gopherlua, real)]

    assert comparable(answers[0], same_words) == comparable(answers[1], same_words)


@pytest.mark.parametrize(
    "words",
    [
        ("EVALSHA", "f" * 40, 0),
        ("EVAL", "return 1"),
        ("EVAL", "return 1", "x"),
        ("EVAL", "return 1", -1),
        ("EVAL", "return 1", 1),
        ("SCRIPT", "EXISTS", "f" * 40),
        ("SET", "key"),
        ("NO-SUCH", "x"),
        ("SET", "key", "value"),
        ("LRANGE", "none", 0, -1),
    ],
)
def test_a_command_answers_as_on_a_real_server(
    gopherlua: Run, real: Run, same_words: bool, words: tuple[str | int, ...]
) -> None:
    assert comparable(gopherlua(*words), same_words) == comparable(real(*words), same_words)


def comparable(answer: object, same_words: bool) -> str:
    """The answer as text; of an error only its code where the words differ anyway."""
    text = repr(answer)
    return text if same_words or "error: " not in text else " ".join(text.split()[:2])


def test_a_script_is_known_by_its_digest_until_the_cache_is_flushed(gopherlua: Run) -> None:
    digest = gopherlua("SCRIPT", "LOAD", "return ARGV[1]")

    before = gopherlua("EVALSHA", digest.upper(), 0, "x"), gopherlua("SCRIPT", "EXISTS", digest)
    gopherlua("SCRIPT", "FLUSH")

    assert before == ("x", [1])
    assert gopherlua("EVALSHA", digest, 0).startswith("error: NOSCRIPT ")


def test_a_text_that_does_not_compile_is_refused_and_not_stored(gopherlua: Run) -> None:
    assert gopherlua("EVAL", "return (", 0).startswith("error: ERR Error compiling script")
    assert gopherlua("SCRIPT", "LOAD", "return (").startswith("error: ERR Error compiling script")


def test_a_script_in_a_transaction_is_refused_and_not_run_by_the_server_behind(
    gopherlua: Run,
) -> None:
    gopherlua("MULTI")

    assert gopherlua("EVAL", "return 1", 0).startswith("error: ERR ")
    assert gopherlua("SET", "key", "1") == "QUEUED"
    assert gopherlua("EXEC") == ["OK"]
    assert gopherlua("EVAL", "return 1", 0) == 1


def test_scripts_and_commands_of_many_clients_do_not_mix(servers: Servers, gopherlua: Run) -> None:
    script = "local n = redis.call('GET', 'n') redis.call('SET', 'n', n + 1)"
    gopherlua("SET", "n", 0)

    def client() -> None:
        with connect(servers(GOPHERLUA).ensure()) as opened:
            for _ in range(100):
                exchange(opened, "EVAL", script, 0)
                exchange(opened, "INCR", "n")

    clients = [threading.Thread(target=client) for _ in range(4)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()

    assert gopherlua("GET", "n") == "800"
