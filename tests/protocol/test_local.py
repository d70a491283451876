"""The server's life: started, killed, shared, gone."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.embedded import EmbeddedStore, open_embedded
from shared.embedded.binary import find_server
from shared.embedded.engine import EngineLost, EngineUnreachable
from shared.embedded.local import LocalRedis
from shared.errors import ConfigurationError, StoreError

ROOT = Path(__file__).parents[2]
DEADLINE = 10.0


def eventually(true: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def ask(path: Path, command: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(DEADLINE)
        connection.connect(str(path))
        connection.sendall(command + b"\r\n")
        return connection.recv(65536)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def started(store: EmbeddedStore) -> bool:
    return store.local is not None and store.local.pid is not None


def local(data_dir: Path | None = None, *, volatile: bool = False) -> LocalRedis:
    binary = find_server()
    assert binary is not None
    return LocalRedis(binary, data_dir=data_dir, volatile=volatile)


async def test_a_killed_server_loses_no_acknowledged_write(tmp_path: Path) -> None:
    store = await open_embedded(data_dir=tmp_path, token="t")
    assert store.local is not None
    for number in range(500):
        await store.engine.execute(("RPUSH", "l", str(number)))

    os.kill(store.local.pid or 0, signal.SIGKILL)

    # The next call finds the connection lost, or starts the server again by itself.
    with contextlib.suppress(EngineLost):
        await store.engine.execute(("PING",))
    items = await store.engine.execute(("LRANGE", "l", "0", "-1"))
    assert items == [b"%d" % number for number in range(500)]
    await store.close()


async def test_data_outlives_a_close(tmp_path: Path) -> None:
    for number in range(1, 4):
        store = await open_embedded(data_dir=tmp_path)
        assert await store.engine.execute(("INCR", "n")) == number
        assert not store.volatile
        await store.close()


async def test_a_second_store_attaches_and_takes_over(tmp_path: Path) -> None:
    first = await open_embedded(data_dir=tmp_path)
    second = await open_embedded(data_dir=tmp_path)
    await first.engine.execute(("SET", "a", "b"))

    assert await second.engine.execute(("GET", "a")) == b"b"
    assert not started(second)
    await first.close()
    with contextlib.suppress(EngineLost):
        await second.engine.execute(("PING",))
    assert await second.engine.execute(("GET", "a")) == b"b"
    assert started(second)
    await second.close()


CHILD = """
import sys, time
from pathlib import Path
from shared.embedded.binary import find_server
from shared.embedded.local import LocalRedis
local = LocalRedis(find_server(), data_dir=Path(sys.argv[1]), volatile=False)
print(local.ensure(), local.pid or 0, flush=True)
sys.stdin.read()
"""


def child(data_dir: Path) -> tuple[subprocess.Popen[str], Path, int]:
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    path, _, pid = process.stdout.readline().strip().rpartition(" ")
    return process, Path(path), int(pid)


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a parent-death signal")
def test_a_killed_parent_takes_its_server_with_it(tmp_path: Path) -> None:
    process, path, pid = child(tmp_path)
    assert ask(path, b"SET a b") == b"+OK\r\n"

    end(process)

    eventually(lambda: not alive(pid))
    again = local(tmp_path)
    assert ask(again.ensure(), b"GET a") == b"$1\r\nb\r\n"
    again.close()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a parent-death signal")
def test_the_dir_is_free_at_once_for_the_next_owner(tmp_path: Path) -> None:
    process, path, pid = child(tmp_path)
    ask(path, b"SET n 0")
    process.kill()

    # The dying server may still hold the lock: the next owner waits, and never runs beside it.
    again = local(tmp_path)
    answer = ask(again.ensure(), b"INCR n") if not alive(pid) else b""
    eventually(lambda: not alive(pid))
    answer = answer or ask(again.ensure(), b"INCR n")

    assert answer == b":1\r\n"
    again.close()
    end(process)


WRITES_FOR_EVER = b"EVAL \"redis.call('SET', 'half', 'x') while true do end\" 0"
READS_FOR_EVER = b'EVAL "while true do end" 0'


def block(path: Path, script: bytes) -> socket.socket:
    """Start an endless script; the server says BUSY when this returns."""
    ask(path, b"CONFIG SET busy-reply-threshold 1")
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(path))
    connection.sendall(script + b"\r\n")
    eventually(lambda: ask(path, b"PING").startswith(b"-BUSY"))
    return connection


@pytest.mark.skipif(sys.platform != "linux", reason="needs a parent-death signal")
@pytest.mark.parametrize("script", [WRITES_FOR_EVER, READS_FOR_EVER])
def test_a_killed_parent_takes_a_blocked_server_with_it(tmp_path: Path, script: bytes) -> None:
    process, path, pid = child(tmp_path)
    ask(path, b"SET a b")
    connection = block(path, script)

    end(process)

    eventually(lambda: not alive(pid))
    connection.close()
    again = local(tmp_path)
    assert ask(again.ensure(), b"MGET a half") == b"*2\r\n$1\r\nb\r\n$-1\r\n"
    again.close()


def test_a_blocked_server_of_another_process_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.embedded.local.START_SECONDS", 0.3)
    process, path, _ = child(tmp_path)
    connection = block(path, WRITES_FOR_EVER)
    attached = local(tmp_path)

    with pytest.raises(ConfigurationError, match="a script blocks it"):
        attached.ensure()

    end(process)
    connection.close()
    attached.close()


def test_a_blocked_server_of_this_process_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = local(tmp_path)
    path = mine.ensure()
    ask(path, b"SET a b")
    connection = block(path, WRITES_FOR_EVER)
    monkeypatch.setattr("shared.embedded.local.START_SECONDS", 3)

    assert ask(mine.ensure(), b"MGET a half") == b"*2\r\n$1\r\nb\r\n$-1\r\n"
    connection.close()
    mine.close()


def test_a_script_that_only_reads_is_killed_for_the_next_store(tmp_path: Path) -> None:
    mine, attached = local(tmp_path), local(tmp_path)
    path = mine.ensure()
    connection = block(path, READS_FOR_EVER)

    assert ask(attached.ensure(), b"PING") == b"+PONG\r\n"
    connection.close()
    mine.close()
    attached.close()


def test_a_blocked_server_is_closed_without_a_wait(tmp_path: Path) -> None:
    mine = local(tmp_path)
    connection = block(mine.ensure(), WRITES_FOR_EVER)
    pid = mine.pid
    start = time.monotonic()

    mine.close()

    assert pid is not None
    assert not alive(pid)
    assert time.monotonic() - start < 5
    connection.close()


def test_another_process_attaches_to_a_running_server(tmp_path: Path) -> None:
    mine = local(tmp_path)
    ask(mine.ensure(), b"SET a b")

    process, path, pid = child(tmp_path)

    assert pid == 0
    assert ask(path, b"GET a") == b"$1\r\nb\r\n"
    end(process)
    assert ask(mine.ensure(), b"PING") == b"+PONG\r\n"
    mine.close()


def test_many_starters_agree_on_one_server(tmp_path: Path) -> None:
    rivals = [local(tmp_path) for _ in range(6)]
    threads = [threading.Thread(target=rival.ensure) for rival in rivals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)

    assert sum(rival.pid is not None for rival in rivals) == 1
    for rival in rivals:
        rival.close()


def test_the_server_outlives_the_thread_that_asked_for_it() -> None:
    server = local(volatile=True)
    thread = threading.Thread(target=server.ensure)
    thread.start()
    thread.join(DEADLINE)

    for _ in range(20):
        assert ask(server.ensure(), b"PING") == b"+PONG\r\n"
    server.close()


def test_a_volatile_store_leaves_nothing() -> None:
    server = local(volatile=True)
    path = server.ensure()
    pid = server.pid
    assert b"appendonly\r\n$2\r\nno" in ask(path, b"CONFIG GET appendonly")

    server.close()
    server.close()

    assert pid is not None
    assert not alive(pid)
    assert not server.data_dir.exists()
    with pytest.raises(EngineUnreachable):
        server.ensure()


def test_the_server_listens_on_no_port_and_only_for_us(tmp_path: Path) -> None:
    server = local(tmp_path)
    path = server.ensure()

    assert b"$1\r\n0\r\n" in ask(path, b"CONFIG GET port")
    assert path.stat().st_mode & 0o077 == 0
    server.close()


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 80) / ("e" * 80)
    server = local(deep)
    path = server.ensure()
    attached = local(deep)

    assert path.is_relative_to(tempfile.gettempdir())
    assert attached.ensure() == path
    server.close()
    attached.close()
    assert not path.parent.exists()


def test_a_start_that_fails_shows_the_servers_log(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").write_text("not a directory", "utf-8")
    server = local(tmp_path)

    with pytest.raises(ConfigurationError, match=r"did not start(?s:.*)Its log ends with:\n.*\d"):
        server.ensure()
    server.close()


def test_a_binary_that_can_not_run_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "valkey-server"
    broken.write_bytes(b"\x7fELF broken")
    broken.chmod(0o755)

    with pytest.raises(ConfigurationError, match="can't be run"):
        LocalRedis(broken, data_dir=tmp_path, volatile=False).ensure()


def test_a_data_dir_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")

    with pytest.raises(ConfigurationError, match="can't be created"):
        local(tmp_path / "file" / "data").ensure()


def test_the_variable_decides_the_binary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIDEGATE_REDIS_BIN", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="TIDEGATE_REDIS_BIN"):
        find_server()
    monkeypatch.setenv("TIDEGATE_REDIS_BIN", sys.executable)
    assert find_server() == Path(sys.executable)


@pytest.mark.parametrize(
    ("name", "version", "taken"),
    [
        ("redis-server", "Redis server v=6.2.14 sha=0", False),
        ("redis-server", "Redis server v=7.0.15 sha=0", True),
        ("redis-server", "gibberish", False),
        ("valkey-server", "Valkey server v=8.0.1", True),
    ],
)
def test_without_the_wheel_a_server_on_the_path_is_taken_if_new_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, version: str, *, taken: bool
) -> None:
    (tmp_path / name).write_text(f"#!/bin/sh\necho '{version}'\n", "utf-8")
    (tmp_path / name).chmod(0o755)
    monkeypatch.delenv("TIDEGATE_REDIS_BIN", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    assert find_server() == (tmp_path / name if taken else None)


async def test_without_a_server_it_falls_back_loudly(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TIDEGATE_REDIS_BIN", "fakeredis")

    store = await open_embedded()

    assert store.volatile
    assert store.engine_name.startswith("fakeredis ")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert caplog.records[0].getMessage().startswith("VOLATILE STORE: ")
    await store.close()


async def test_an_open_store_tells_its_name_and_makes_up_a_token() -> None:
    store = await open_embedded(volatile=True)
    other = await open_embedded(volatile=True)

    assert store.engine_name.split()[0] in {"valkey", "redis"}
    assert store.token != other.token
    await asyncio.gather(store.close(), other.close())
    with pytest.raises(StoreError):
        await store.engine.execute(("PING",))
