"""Where a certain version of Python lies on this machine, if it does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_SAY_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


@cache
def find_python(version: str) -> Path | None:
    """An interpreter of this version (`3.13`) that really runs, or None.

    Looks at the one that runs this, at PATH, and at pyenv's and uv's folders.
    """
    for candidate in _candidates(version):
        try:
            told = subprocess.run(
                [candidate, "-c", _SAY_VERSION], capture_output=True, text=True, check=False
            )
        except OSError:
            continue
        # pyenv's shims are there for every version and refuse to run most of them.
        if told.returncode == 0 and told.stdout.strip() == version:
            return candidate
    return None


def newest_python(*versions: str) -> tuple[str, Path] | None:
    """The first of `versions` that is on this machine."""
    for version in versions:
        found = find_python(version)
        if found is not None:
            return version, found
    return None


def _candidates(version: str) -> Iterator[Path]:
    yield Path(sys.executable)
    name = f"python{version}"
    for folder in os.get_exec_path():
        found = shutil.which(name, path=folder)
        if found:
            yield Path(found)
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv"))
    for installed in (pyenv / "versions", home / ".local/share/uv/python"):
        yield from sorted(installed.glob(f"*{version}*/bin/{name}"), reverse=True)
