"""`cli("status")` runs a command in this process on a store of the test's own; `spawn` runs it as
a real one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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
OURS = ("UPSTASH_", "KV_REST_", "TIDEGATE_", "CRON_SECRET", "AWS_", "VERCEL", "DATABASE_URL")


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: Exit
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document it must be."""
        return json.loads(self.out)


class Cli(Protocol):
    def __call__(self, *args: str, stdin: str | None = None) -> Ran: ...


class Spawn(Protocol):
    def __call__(self, *args: str) -> subprocess.Popen[str]: ...


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder whose server runs for as long as the test: commands attach to it."""
    binary = find_server()
    if binary is None:
        pytest.skip("fakeredis ends with a command, so two commands never see one store")
    local = LocalRedis(binary, data_dir=tmp_path / "data", volatile=False)
    local.ensure()
    yield tmp_path / "data"
    local.close()


@pytest.fixture
def environ(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process's environment without the developer's own settings, on the test's store."""
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


@pytest.fixture
def spawn(environ: Path) -> Iterator[Spawn]:
    """Start a command as a process of its own; stopped at the end if it still runs."""
    started: list[subprocess.Popen[str]] = []

    def start(*args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "shared.cli", *args],
            cwd=ROOT,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.communicate(timeout=DEADLINE)


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> Ran:
    """Send the signal; how the process ended."""
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
    raise AssertionError(f"it ended before it printed anything: {process.communicate()[1]}")


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Wait until it holds, at most DEADLINE seconds."""
    until = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < until, f"not within {DEADLINE:.0f} s: {what}"
        time.sleep(0.02)
