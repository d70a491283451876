"""The processes that a benchmark needs: one Redis for all peers, the REST server in front of it,
proxies. All listen on the loopback interface and end with the harness."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import redis

from shared.embedded.binary import find_server
from tests.bench.peers.tidegate_peer import TOKEN

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def spawn(command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    """A child in the checkout's root that sees `tests` and `shared`."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    env.update(options.pop("env", {}))
    process = subprocess.Popen(command, cwd=ROOT, env=env, text=True, **options)
    _children.append(process)
    return process


_children: list[subprocess.Popen[str]] = []


def own_seconds() -> float:
    """CPU seconds that the harness and all its processes have used so far."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    here = time.process_time()
    _children[:] = [child for child in _children if child.returncode is None]
    return here + ended.ru_utime + ended.ru_stime + sum(_seconds(child.pid) for child in _children)


def _seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_seconds() -> float:
    """CPU seconds that the whole machine was busy, all cores together; 0 where it can't be read."""
    try:
        words = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    except OSError:
        return 0.0
    user, nice, system, _idle, _wait, irq, softirq, stolen = (int(word) for word in words)
    return (user + nice + system + irq + softirq + stolen) / os.sysconf("SC_CLK_TCK")


def await_port(port: int, process: subprocess.Popen[str]) -> None:
    """Return when something listens there, or raise when its process has ended."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError(f"nothing listens on port {port}; its process ended: {process.poll()}")


def end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


@dataclass(frozen=True)
class WorkCost:
    """What a stretch of work cost: commands as clients sent them, commands that the server ran
    inside scripts on top of these, and round trips."""

    top: int
    inner: int
    round_trips: int
    by_name: dict[str, int]


class Proxy:
    """`tests.bench.proxy` in its own process, in front of `target`."""

    def __init__(self, target: int, *, round_trip_ms: float = 0.0, count: bool = False) -> None:
        self.port = free_port()
        self._process = spawn(
            [
                *(sys.executable, "-m", "tests.bench.proxy", str(self.port), str(target)),
                *(str(round_trip_ms), str(int(count))),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def counts(self) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        counts: dict[str, Any] = json.loads(self._process.stdout.readline())
        return counts

    def close(self) -> None:
        end(self._process)


class Server:
    """One Redis (the pinned Valkey, or a redis-server found), nothing persisted; and on demand the
    REST server in front of it."""

    def __init__(self, *, rest: bool = True) -> None:
        binary = find_server()
        if binary is None:
            raise RuntimeError("no valkey-server or redis-server was found: run `make setup`")
        self.binary = binary
        self.port = free_port()
        self._directory = tempfile.TemporaryDirectory(prefix="tidegate-bench-")
        self._process = spawn(
            [
                *(str(binary), "--port", str(self.port), "--save", "", "--appendonly", "no"),
                *("--dir", self._directory.name, "--bind", "127.0.0.1", "--loglevel", "warning"),
            ],
            stdout=subprocess.DEVNULL,
        )
        await_port(self.port, self._process)
        self.redis = redis.Redis(port=self.port)
        self.rest_port = free_port() if rest else 0
        self._gateway: subprocess.Popen[str] | None = None
        if rest:
            words = (str(self.port), str(self.rest_port), TOKEN)
            self._gateway = spawn([sys.executable, "-m", "tests.bench.gateway", *words])
            await_port(self.rest_port, self._gateway)

    def flush(self) -> None:
        self.redis.flushall()
        self.redis.config_resetstat()

    def ran(self) -> int:
        """Commands that ran since `flush`, those inside scripts too, without the harness's own."""
        stats = self.redis.info("commandstats")
        ours = ("cmdstat_info", "cmdstat_config|resetstat", "cmdstat_flushall")
        return sum(int(one["calls"]) for name, one in stats.items() if name not in ours)

    def memory(self) -> int:
        """Bytes the server has in use."""
        return int(self.redis.info("memory")["used_memory"])

    def billed(self) -> dict[str, int]:
        """What the REST server has counted: requests, and commands as Upstash bills them."""
        url = f"http://127.0.0.1:{self.rest_port}/_meter"
        reply = httpx.get(url, headers={"Authorization": TOKEN}, trust_env=False)
        counts: dict[str, int] = reply.json()
        return counts

    def product(self) -> str:
        info = self.redis.info("server")
        name = info.get("server_name", "redis")
        return f"{name} {info.get(f'{name}_version', info['redis_version'])}"

    def close(self) -> None:
        self.redis.close()
        if self._gateway is not None:
            end(self._gateway)
        end(self._process)
        self._directory.cleanup()
