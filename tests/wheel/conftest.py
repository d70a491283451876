"""The wheel, built once for all workers of a run, and environments that hold nothing but it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.interpreters import find_python
from infra.manifest import ROOT
from infra.package import uv
from infra.rehearse.tools import tool_environment

TIMEOUT = 300.0
"""Seconds. The first run of a machine fetches packages from its index."""


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Environment:
    """A virtual environment outside of the checkout."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def run(self, *command: str, cwd: Path, **variables: str) -> Ran:
        """Run a command with the environment's programs first; none of our own settings, and no
        path of the checkout, reaches it."""
        settings = tool_environment(
            PATH=f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            PIP_DISABLE_PIP_VERSION_CHECK="1",
            PYTHONDONTWRITEBYTECODE="1",
            **variables,
        )
        for name in ("PYTHONPATH", "VIRTUAL_ENV", "CI"):
            settings.pop(name, None)
        done = subprocess.run(
            command,
            cwd=cwd,
            env=settings,
            capture_output=True,
            text=True,
            timeout=TIMEOUT / 2,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)


Install = Callable[..., Environment]


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all workers of this run share."""
    run = tmp_path_factory.getbasetemp()
    folder = (run if worker_id == "master" else run.parent) / "wheel"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def wheel(shared_folder: Path) -> Path:
    """The wheel of this checkout. Its build backend is the environment's own."""
    folder = shared_folder / "dist"
    with _once(folder) as needed:
        if needed:
            build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
            subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def empty_environment(folder: Path, version: str = "3.11") -> Environment:
    """A new environment with pip and nothing else, as `python -m venv` makes it."""
    interpreter = find_python(version)
    if interpreter is None:
        pytest.skip(f"there is no Python {version} on this machine")
    uv_run("venv", "--quiet", "--seed", "--python", str(interpreter), str(folder))
    return Environment(folder)


@pytest.fixture(scope="session")
def install(shared_folder: Path, wheel: Path) -> Install:
    """Answers the environment of a Python version with the wheel, its extras and more packages.
    `owner`: one that no other test shares, for a test that installs into it. Skips where this
    machine lacks that Python."""

    def installed(
        version: str, *extras: str, also: tuple[str, ...] = (), owner: str = "all"
    ) -> Environment:
        interpreter = find_python(version)
        if interpreter is None:
            pytest.skip(f"there is no Python {version} on this machine")
        folder = shared_folder / "-".join(["env", owner, version, *extras, *also])
        with _once(folder) as needed:
            if needed:
                named = f"{wheel}[{','.join(extras)}]" if extras else str(wheel)
                uv_run("venv", "--quiet", "--seed", "--python", str(interpreter), str(folder))
                lock = ("--constraint", str(ROOT / "requirements" / "dev.txt"))
                target = ("--python", str(folder / "bin" / "python"))
                uv_run("pip", "install", "--quiet", *target, *lock, named, *also)
        return Environment(folder)

    return installed


def uv_run(*arguments: str, cwd: Path = ROOT) -> None:
    """Run uv. Fails with it."""
    done = subprocess.run(
        [str(uv()), *arguments],
        cwd=cwd,
        env=tool_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@contextmanager
def _once(folder: Path) -> Generator[bool, None, None]:
    """Whether this worker has to fill the folder; the others wait for it."""
    mark = folder.parent / f"{folder.name}.done"
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not mark.exists()
        mark.touch()
