"""The version is said once and told to users in the same words."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest


def _project(root: Path) -> dict[str, object]:
    pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    project = pyproject["project"]
    assert isinstance(project, dict)
    return project


def test_the_newest_changelog_entry_is_the_version_of_the_package(root: Path) -> None:
    entries = re.findall(
        r"^## \[([^\]]+)\]", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert entries[:1] == [_project(root)["version"]], (
        "CHANGELOG.md must begin with the version in pyproject.toml: write what users will notice "
        "under '## [<version>]', or raise the version."
    )


def test_the_changelog_uses_only_the_agreed_headings(root: Path) -> None:
    headings = re.findall(
        r"^### (.+)$", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert headings, "CHANGELOG.md says nothing to users: add a heading and a line."
    unknown = set(headings) - {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert not unknown, f"Keep a Changelog has no {sorted(unknown)}: use one of its six headings."


def test_what_is_installed_is_this_version(root: Path) -> None:
    try:
        installed = version("tidegate")
    except PackageNotFoundError:
        pytest.skip("tests run from a bare checkout; `make setup` installs it")

    assert installed == _project(root)["version"], "Run `make setup`: the version has moved."
