"""`cli("status")` runs a command in this process on the test's own store; `spawn` starts it as a
process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
from typer.testing import CliRunner

from shared.cli import app
from shared.cli.exit_codes import Exit
from shared.embedded.binary import find_server
from shared.embedded.local import LocalRedis

ROOT = Path(__file__).parents[2]
DEADLINE = 30.0
STORE_VARIABLES = ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN")
OURS = ("UPSTASH_", "KV_REST_", "TIDEGATE_", "CRON_SECRET", "AWS_", "VERCEL", "DATABASE_URL")


@dataclass(frozen=True, slots=True)
class Ran:
    """The exit code and the output of a command."""

    code: Exit
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.out)


class Cli(Protocol):
    def __call__(self, *args: str, stdin: str | None = None) -> Ran: ...


class Spawn(Protocol):
    def __call__(self, *args: str, **variables: str) -> subprocess.Popen[str]: ...


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder whose server runs during the test; commands attach to it."""
    binary = find_server()
    if binary is None:
        pytest.skip("fakeredis ends with a command, so two commands never see one store")
    local = LocalRedis(binary, data_dir=tmp_path / "data", volatile=False)
    local.ensure()
    yield tmp_path / "data"
    local.close()


@pytest.fixture
def environ(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of the test's store, without the developer's own settings."""
    for name in [name for name in os.environ if name.startswith(OURS)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TIDEGATE_DATA", str(data))
    monkeypatch.setenv("TIDEGATE_APPS", "tests.cli.sample:app")
    return data


@pytest.fixture
def cli(environ: Path) -> Cli:
    """Run a command here."""

    def run(*args: str, stdin: str | None = None) -> Ran:
        result = CliRunner().invoke(app, list(args), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(Exit(result.exit_code), result.stdout, result.stderr)

    return run


@contextmanager
def spawning() -> Iterator[Spawn]:
    """Start commands as processes; those that still run at the end of the block are stopped."""
    processes: list[subprocess.Popen[str]] = []

    def start(*args: str, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "shared.cli", *args],
            cwd=ROOT,
            env={**os.environ, **variables},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.terminate()
    for process in processes:
        process.communicate(timeout=DEADLINE)


@pytest.fixture
def spawn(environ: Path) -> Iterator[Spawn]:
    """Start a command as a process of its own, on the test's store."""
    with spawning() as start:
        yield start


@pytest.fixture(scope="module")
def spawn_for_module() -> Iterator[Spawn]:
    """Start commands that serve several tests, without the developer's own settings."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(OURS)]:
            patch.delenv(name)
        with spawning() as start:
            yield start


@pytest.fixture(scope="module")
def upstash(spawn_for_module: Spawn) -> dict[str, str]:
    """One volatile `tidegate store` for the module: the variables that it prints."""
    printed: dict[str, str] = printed_json(
        spawn_for_module("store", "--port", "0", "--volatile", "--json")
    )
    return {name: printed[name] for name in STORE_VARIABLES}


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> Ran:
    """Send the signal and wait for the end of the process."""
    process.send_signal(number)
    out, err = process.communicate(timeout=DEADLINE)
    return Ran(Exit(process.returncode), out, err)


def printed_json(process: subprocess.Popen[str]) -> Any:
    """The first JSON document a running process prints."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line == "}\n":
            return json.loads(text)
    raise AssertionError(f"the process ended without output: {process.communicate()[1]}")


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Wait until it holds, at most DEADLINE seconds."""
    until = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < until, f"not within {DEADLINE:.0f} s: {what}"
        time.sleep(0.02)
