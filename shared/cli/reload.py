"""The user's own modules, for `tidegate dev`: have their files changed? If so, import them anew."""

from __future__ import annotations

import sys
from pathlib import Path

from ..jobs.stack import is_library_file


class UserModules:
    """The files of the modules that are imported and are the user's: no library's, none of ours."""

    def __init__(self) -> None:
        self._seen: dict[Path, float] = {}
        self.changed()

    def changed(self) -> bool:
        """True if a file has changed since the last call. New modules are watched from now on, and
        a module whose import failed is still watched."""
        files = {*self._seen, *(path for _, path in _modules())}
        now = {path: _modified_at(path) for path in files}
        changed = any(now[path] != seen for path, seen in self._seen.items())
        self._seen = now
        return changed

    def forget(self) -> None:
        """Have the next import of each of them run it again."""
        for name, _ in _modules():
            del sys.modules[name]


def _modules() -> list[tuple[str, Path]]:
    files = [
        (name, getattr(module, "__file__", None)) for name, module in list(sys.modules.items())
    ]
    return [
        (name, Path(file))
        for name, file in files
        if isinstance(file, str) and name != "__main__" and not is_library_file(file, name)
    ]


def _modified_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # it was deleted, or is being replaced
        return 0.0
