"""Programs that run for the length of a block, each with a log file."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from ..manifest import ROOT
from .checks import CheckFailed, wait_for
from .tools import bare_environment

GRACE = 5.0
_PORTS = range(20000, 32000)
_untried = iter(random.sample(_PORTS, len(_PORTS)))


@dataclass(frozen=True, slots=True)
class Program:
    """A running program and its log."""

    process: subprocess.Popen[bytes]
    log: Path

    def output(self) -> str:
        """Its stdout and stderr so far."""
        return self.log.read_text("utf-8", errors="replace")

    def children(self) -> list[int]:
        """The process ids of its children."""
        pid = self.process.pid
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
        pids = {int(child) for child in text.split()}
        for task in Path(f"/proc/{pid}/task").iterdir():  # each thread has its own list
            pids |= {int(child) for child in (task / "children").read_text("ascii").split()}
        return sorted(pids)


@contextmanager
def running(
    command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], log: Path
) -> Generator[Program, None, None]:
    """Run a command in its own process group; at the end send TERM, then KILL."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Program(process, log)
    finally:
        _end(process)


@dataclass(frozen=True, slots=True)
class Store:
    """The embedded store on a port, which functions use like Upstash."""

    url: str
    token: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables for a function."""
        return {"UPSTASH_REDIS_REST_URL": self.url, "UPSTASH_REDIS_REST_TOKEN": self.token}

    def meter(self) -> dict[str, int]:
        """Requests and billed commands so far."""
        answer = httpx.get(f"{self.url}/_meter", headers={"Authorization": f"Bearer {self.token}"})
        answer.raise_for_status()
        counts: dict[str, int] = answer.json()
        return counts


@contextmanager
def embedded_store(log: Path) -> Generator[Store, None, None]:
    """Run `tidegate store`, volatile and on a free port."""
    command = [sys.executable, "-m", "shared.cli", "store", "--port", "0", "--volatile"]
    with running(command, cwd=ROOT, env=bare_environment(), log=log) as program:

        def printed() -> dict[str, str] | None:
            if program.process.poll() is not None:
                raise CheckFailed(f"the embedded store did not start:\n{program.output()}")
            lines = [line.partition("=") for line in program.output().splitlines(keepends=True)]
            pairs = {name: value.strip() for name, _, value in lines if value.endswith("\n")}
            return pairs if "UPSTASH_REDIS_REST_TOKEN" in pairs else None

        variables = wait_for(printed, what="the embedded store")
        yield Store(variables["UPSTASH_REDIS_REST_URL"], variables["UPSTASH_REDIS_REST_TOKEN"])


def free_port() -> int:
    """A port without a listener that no earlier call returned.

    It is below the system's range for outgoing connections: such a connection could take the port
    before the program listens on it.
    """
    while True:
        port = next(_untried)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            continue
        if number is signal.SIGTERM:  # its children may still run
            continue
    process.wait()
