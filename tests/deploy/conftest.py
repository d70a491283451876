"""Artefacts for the interpreter that runs the tests, built once a session."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from infra.manifest import FUNCTIONS, ROOT
from infra.package import Artefact, Target, build, snapshot


@pytest.fixture(scope="session")
def here() -> Target:
    return Target.here(f"{sys.version_info.major}.{sys.version_info.minor}")


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our sources as they were when the session began."""
    return snapshot(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="session")
def artefacts(
    here: Target, sources: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Artefact]:
    """By function."""
    folder = tmp_path_factory.mktemp("artefacts")
    return {
        name: build(function, here, folder, root=sources) for name, function in FUNCTIONS.items()
    }


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT
