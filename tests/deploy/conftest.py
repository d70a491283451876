"""Artefacts for the interpreter that runs the tests, built once for all workers of a run."""

from __future__ import annotations

import fcntl
import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from infra.manifest import FUNCTIONS, ROOT
from infra.package import Artefact, Target, build, snapshot

NUMBERS = ("zipped", "unzipped", "byte_code", "sha256")


@pytest.fixture(scope="session")
def here() -> Target:
    return Target.here(f"{sys.version_info.major}.{sys.version_info.minor}")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, worker_id: str, here: Target) -> Path:
    """A folder with a copy of our sources and the zips. The first worker fills it, the others
    wait for its lock."""
    run = tmp_path_factory.getbasetemp()
    folder = (run if worker_id == "master" else run.parent) / "built"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done.json").exists():
            (folder / "sources").mkdir(exist_ok=True)
            _build(here, folder)
    return folder


def _build(here: Target, folder: Path) -> None:
    sources = snapshot(folder / "sources")
    numbers = {}
    for name, function in FUNCTIONS.items():
        fields = asdict(build(function, here, folder, root=sources))
        numbers[name] = {field: fields[field] for field in NUMBERS}
    (folder / "done.json").write_text(json.dumps(numbers), encoding="utf-8")


@pytest.fixture(scope="session")
def sources(built: Path) -> Path:
    """Our sources as they were when the run began."""
    return built / "sources"


@pytest.fixture(scope="session")
def artefacts(built: Path, here: Target) -> dict[str, Artefact]:
    """By function."""
    numbers = json.loads((built / "done.json").read_text(encoding="utf-8"))
    return {
        name: Artefact(built / f"{name}.zip", function, here, **numbers[name])
        for name, function in FUNCTIONS.items()
    }


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT
