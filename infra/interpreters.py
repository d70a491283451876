"""The Python interpreters of this machine, by version."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_PRINT_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


@cache
def find_python(version: str) -> Path | None:
    """An interpreter of this version (`3.13`) that runs, or None.

    It checks the current interpreter, PATH, and the folders of pyenv and uv.
    """
    for candidate in _candidates(version):
        try:
            result = subprocess.run(
                [candidate, "-c", _PRINT_VERSION], capture_output=True, text=True, check=False
            )
        except OSError:
            continue
        # pyenv has a shim for every version, and most of them refuse to run.
        if result.returncode == 0 and result.stdout.strip() == version:
            return candidate
    return None


def newest_python(*versions: str) -> tuple[str, Path] | None:
    """The first of `versions` that is on this machine."""
    for version in versions:
        interpreter = find_python(version)
        if interpreter is not None:
            return version, interpreter
    return None


def _candidates(version: str) -> Iterator[Path]:
    yield Path(sys.executable)
    name = f"python{version}"
    for folder in os.get_exec_path():
        path = shutil.which(name, path=folder)
        if path:
            yield Path(path)
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv"))
    for installed in (pyenv / "versions", home / ".local/share/uv/python"):
        yield from sorted(installed.glob(f"*{version}*/bin/{name}"), reverse=True)
