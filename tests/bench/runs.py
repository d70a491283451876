"""One run of one system: jobs in, a worker process, its one line of answer. Measures nothing
itself, and never raises for a peer's fault: that is a result too."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.bench.field import CACHE, Peer
from tests.bench.servers import Server, end, free_port, spawn

PATIENCE = 40.0
"""Seconds that a process may take beyond what it was asked for."""


class PeerFailed(Exception):
    """A peer's process ended badly, or not at all; the text is the end of what it said."""


@dataclass(frozen=True)
class Where:
    """The ports that a run's clients use: the servers' own, or those of proxies."""

    redis_port: int
    rest_port: int

    def url(self, peer: Peer) -> str:
        port = self.rest_port if peer.over_rest else self.redis_port
        return f"http://127.0.0.1:{port}" if peer.over_rest else f"redis://127.0.0.1:{port}/0"


@dataclass
class WorkerResult:
    """What a worker (or several) did."""

    n: int
    seconds: float
    waits: list[float] = field(default_factory=list)
    first: float = 0.0
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return self.n / self.seconds if self.seconds else 0.0


def start(peer: Peer, verb: str, where: Where, **ask: Any) -> subprocess.Popen[str]:
    """The peer's process. Its standard error goes to a file of its own, read when it fails."""
    given = {"url": where.url(peer), **ask}
    return spawn(
        [*peer.command, verb, json.dumps(given)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"BENCH_NODE": str(CACHE / "node")},
        pipesize=1 << 20,
    )


def answer(process: subprocess.Popen[str], within: float) -> dict[str, Any]:
    """The process's line, once it has ended."""
    try:
        out, err = process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise PeerFailed(f"no answer in {within:.0f} s; {_tail(err)}") from None
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if not lines:
        raise PeerFailed(f"ended with {process.returncode}: {_tail(err or out)}")
    said: dict[str, Any] = json.loads(lines[-1])
    return said


def enqueue(peer: Peer, where: Where, n: int, **ask: Any) -> WorkerResult:
    """Store n jobs in a process of their own."""
    within = PATIENCE + ask.get("gap", 0.0) * n + n / 15
    said = answer(start(peer, "enqueue", where, n=n, **ask), within)
    return WorkerResult(said["n"], said["seconds"])


def work(peer: Peer, where: Where, n: int, concurrency: int, **ask: Any) -> WorkerResult:
    """Run jobs until n have ended or `seconds` are over."""
    within = ask.get("seconds", 60.0) + PATIENCE
    if not peer.processes or concurrency == 1:
        said = answer(start(peer, "work", where, n=n, concurrency=concurrency, **ask), within)
        return _done([said])
    # Each takes its share of the time; together they stop when the time is over.
    many = [start(peer, "work", where, n=10**9, **ask) for _ in range(concurrency)]
    return _done([answer(process, within) for process in many])


@contextlib.contextmanager
def working(peer: Peer, where: Where, **ask: Any) -> Iterator[subprocess.Popen[str]]:
    """A worker that stays until the block ends (idle, latency)."""
    process = start(peer, "work", where, **ask)
    try:
        yield process
    finally:
        if process.poll() is None:
            end(process)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def drained(
    peer: Peer, server: Server, where: Where, concurrency: int, n: int, **ask: Any
) -> WorkerResult:
    """Fill an empty store and drain it. The filling goes to the servers directly."""
    server.flush()
    direct = Where(server.port, server.rest_port)
    enqueue(peer, direct, n, handler=ask.get("handler", "noop"), bulk=peer.bulk)
    return work(peer, where, n, concurrency, **ask)


def version(peer: Peer) -> str:
    """Names and versions, as the peer's own environment has them."""
    nowhere = Where(1, 1)
    said = answer(start(peer, "version", nowhere, packages=peer.packages), PATIENCE)
    return ", ".join(f"{name} {number}" for name, number in said.items())


def nudge_port(peer: Peer) -> int:
    """Where a warm function listens; 0 for peers, which need none."""
    return free_port() if peer.over_rest else 0


def _done(said: list[dict[str, Any]]) -> WorkerResult:
    if len(said) == 1:
        one = said[0]
        known = ("n", "seconds", "waits", "first")
        more = {name: value for name, value in one.items() if name not in known}
        return WorkerResult(
            one["n"], one["seconds"], one.get("waits", []), one.get("first", 0.0), more
        )
    # Processes do not start together: each counts by its own time.
    rate = sum(one["n"] / one["seconds"] for one in said if one["n"])
    n = sum(one["n"] for one in said)
    return WorkerResult(n, n / rate if rate else 0.0, first=min(one["first"] for one in said))


def _tail(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return " / ".join(lines[-3:])[-300:] or "it said nothing"
