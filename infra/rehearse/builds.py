"""The artefacts of one rehearsal, built once from one snapshot of the sources."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

from ..manifest import FUNCTIONS
from ..package import Artefact, Target, build, snapshot
from .tools import CACHE


@cache
def sources() -> Path:
    """The snapshot of our sources at the start of the rehearsal."""
    folder = CACHE / "sources"
    shutil.rmtree(folder, ignore_errors=True)
    return snapshot(folder)


@cache
def artefacts(target: Target) -> dict[str, Artefact]:
    """Both functions for this target."""
    folder = CACHE / "artefacts" / f"{target.runtime}-{target.arch}"
    return {
        name: build(function, target, folder, root=sources())
        for name, function in FUNCTIONS.items()
    }
