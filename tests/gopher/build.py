"""Builds the GopherLua server of these tests, once for each text of its sources.

`python -m tests.gopher.build` builds it ahead of the tests and fails where it can't.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

PACKAGES = "golang-go golang-github-yuin-gopher-lua-dev"
"""What Debian and Ubuntu call Go and GopherLua's sources."""
DEBIAN = "/usr/share/gocode"
"""Where Debian's packages put the sources of Go libraries. GOPATH may name another version."""

_ROOT = Path(__file__).parents[2]
_SOURCES = Path(__file__).parent / "server"


@cache
def _gopath() -> Path | None:
    """The folder of Go libraries that has GopherLua."""
    for folder in (os.environ.get("GOPATH", ""), DEBIAN):
        if folder and _library(Path(folder)).is_dir():
            return Path(folder)
    return None


def _library(gopath: Path) -> Path:
    return gopath / "src" / "github.com" / "yuin" / "gopher-lua"


@cache
def problem() -> str:
    """Why the server can't be built here; "" where it can."""
    if shutil.which("go") is None:
        return f"Go is missing (apt-get install {PACKAGES})"
    if _gopath() is None:
        return f"GopherLua's sources are missing (apt-get install {PACKAGES})"
    return ""


@cache
def binary() -> Path:
    """The server's binary. The first process builds it (10 s), the others wait for it."""
    gopath = _gopath()
    assert gopath is not None, problem()
    folder = _ROOT / ".cache" / "gopherlua"
    folder.mkdir(parents=True, exist_ok=True)
    built = folder / _digest(gopath)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            _build(built, gopath)
    return built


def _digest(gopath: Path) -> str:
    """Of all that decides what is built: our sources, this file, GopherLua's, and Go's version."""
    digest = hashlib.sha256()
    for path in sorted([Path(__file__), *_SOURCES.glob("*.go"), *_library(gopath).rglob("*.go")]):
        digest.update(path.read_bytes())
    version = subprocess.run(["go", "version"], capture_output=True, check=True)
    digest.update(version.stdout)
    return digest.hexdigest()[:16]


def _build(target: Path, gopath: Path) -> None:
    unfinished = target.with_suffix(".new")
    subprocess.run(
        ["go", "build", "-o", str(unfinished), "."],
        cwd=_SOURCES,
        env={
            **os.environ,
            "GO111MODULE": "off",
            "CGO_ENABLED": "0",
            "GOPATH": str(gopath),
            "GOFLAGS": "",
        },
        check=True,
    )
    unfinished.replace(target)


if __name__ == "__main__":
    if problem():
        sys.exit(problem())
    print(binary().relative_to(_ROOT))
