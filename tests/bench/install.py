"""The peers' environments under .cache/bench, from hashed locks; made anew when a lock changes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.bench.field import CACHE, PEERS
from tests.bench.servers import ROOT

LOCKS = {
    "tidegate": ROOT / "requirements" / "runtime.txt",  # as a deployed function has it
    "python": PEERS / "python.txt",
    "arq": PEERS / "arq.txt",
    "node": PEERS / "package-lock.json",
}


def install() -> dict[str, str]:
    """Make what is missing; environment -> error for those that can't be had."""
    CACHE.mkdir(parents=True, exist_ok=True)
    failures = {}
    for name, lock in LOCKS.items():
        stamp = CACHE / name / ".ready"
        digest = hashlib.sha256(lock.read_bytes()).hexdigest()
        if stamp.exists() and stamp.read_text() == digest:
            continue
        print(f"Installing the peers' environment {name!r} …", flush=True)
        shutil.rmtree(CACHE / name, ignore_errors=True)
        try:
            _node(CACHE / name) if name == "node" else _python(CACHE / name, lock)
        except (OSError, subprocess.CalledProcessError) as error:
            output = getattr(error, "stderr", "") or ""
            failures[name] = f"can't be installed: {str(output).strip()[-200:] or error}"
        else:
            stamp.write_text(digest)
    return failures


def _python(folder: Path, lock: Path) -> None:
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    python = str(folder / "bin" / "python")
    quiet = [
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--no-deps",
        "--require-hashes",
    ]
    _run([sys.executable, "-m", "pip", "--python", python, "install", *quiet, "-r", str(lock)])


def _node(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PEERS / name, folder)
    # Not `npm ci`: it wants the optional binaries of every platform in the lock.
    quiet = ("--omit=optional", "--no-audit", "--no-fund", "--ignore-scripts")
    _run(["npm", "install", *quiet], folder)


def _run(command: list[str], folder: Path | None = None) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=900)
