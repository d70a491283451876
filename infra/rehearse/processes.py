"""Programs that run for the length of a block: with a log file, and gone at its end."""

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
from .checks import Failed, wait_for
from .tools import bare_environment

GRACE = 5.0
_PORTS = range(20000, 32000)
_untried = iter(random.sample(_PORTS, len(_PORTS)))


@dataclass(frozen=True, slots=True)
class Program:
    """A running program and what it has written so far."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        """Everything on stdout and stderr so far."""
        return self.log.read_text("utf-8", errors="replace")

    def children(self) -> list[int]:
        """Process ids of its children."""
        pid = self.process.pid
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
        every = {int(child) for child in text.split()}
        for task in Path(f"/proc/{pid}/task").iterdir():  # each thread has its own list
            every |= {int(child) for child in (task / "children").read_text("ascii").split()}
        return sorted(every)


@contextmanager
def running(
    command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], log: Path
) -> Generator[Program, None, None]:
    """Start it in a process group of its own; at the end TERM, then KILL."""
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
    """The embedded store behind a port, as functions see Upstash."""

    url: str
    token: str

    @property
    def environment(self) -> dict[str, str]:
        """What a function needs to use it."""
        return {"UPSTASH_REDIS_REST_URL": self.url, "UPSTASH_REDIS_REST_TOKEN": self.token}

    def meter(self) -> dict[str, int]:
        """Requests and billed commands so far."""
        answer = httpx.get(f"{self.url}/_meter", headers={"Authorization": f"Bearer {self.token}"})
        answer.raise_for_status()
        counts: dict[str, int] = answer.json()
        return counts


@contextmanager
def embedded_store(log: Path) -> Generator[Store, None, None]:
    """`tidegate store`, volatile and on any free port."""
    command = [sys.executable, "-m", "shared.cli", "store", "--port", "0", "--volatile"]
    with running(command, cwd=ROOT, env=bare_environment(), log=log) as program:

        def told() -> dict[str, str] | None:
            if program.process.poll() is not None:
                raise Failed(f"the embedded store did not start:\n{program.said()}")
            lines = [line.partition("=") for line in program.said().splitlines(keepends=True)]
            said = {name: value.strip() for name, _, value in lines if value.endswith("\n")}
            return said if "UPSTASH_REDIS_REST_TOKEN" in said else None

        said = wait_for(told, what="the embedded store")
        yield Store(said["UPSTASH_REDIS_REST_URL"], said["UPSTASH_REDIS_REST_TOKEN"])


def free_port() -> int:
    """A port that nobody listens on just now and that was not given out before.

    Below those that the system gives to outgoing connections: one of these could take it before the
    program does that shall listen there.
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
        if number is signal.SIGTERM:  # what it started may have outlived it
            continue
    process.wait()
