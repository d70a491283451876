"""The tests of the scripts, run in a copy of the checkout in which one script has a bug."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 240.0
_COPIED = ("shared", "functions", "tests", "pyproject.toml")
_SUITE = ("tests/store", "tests/faults/test_many_functions.py")


class Suite:
    """A copy of the checkout to plant bugs in."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tidegate-planted-")
        self._root = Path(self._folder.name)
        for name in _COPIED:
            source, target = ROOT / name, self._root / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)

    def kill(self, file: str, text: str) -> str:
        """The test that fails when this Lua file has this text; "" when all of them pass."""
        script = self._root / "shared" / "store" / "lua" / file
        before = script.read_text(encoding="utf-8")
        script.write_text(text, encoding="utf-8")
        try:
            return self._failing()
        finally:
            script.write_text(before, encoding="utf-8")

    def close(self) -> None:
        self._folder.cleanup()

    def _failing(self) -> str:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-k", "not fakeredis", *_SUITE]
        command += ["-p", "no:cacheprovider"]
        try:
            done = subprocess.run(
                command,
                cwd=self._root,
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            return "a test never ended"
        if done.returncode == 0:
            return ""
        failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        if not failed:
            raise RuntimeError(f"pytest ended with {done.returncode}: {done.stdout[-400:]}")
        return failed[0].split(" ")[1]
