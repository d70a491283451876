"""The call paths of docs/architecture.md are those that the code takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.repo.paths import Calls, paths

BULLET = re.compile(r"^- \*\*(\w+)\*\*(.*?)(?=^- |^$)", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([a-z_/]+\.py)`")
BEFORE = ("functions/", "hosts/")
"""What stands before `Service.answer` and `Deployment.drain`, where the measured calls begin."""
GUARANTEES = {
    "enqueue": {"web/app.py", "access/authorizer.py", "web/call.py"},
    "operate": {"web/app.py", "access/authorizer.py", "web/audited.py"},
    "run": {"drain/pool.py", "drain/turns.py"},
}
"""Files that carry a guarantee, which a reader of the path must meet."""


@pytest.fixture(scope="module")
def documented(root: Path) -> dict[str, set[str]]:
    """Path -> the files of `shared` that its line names."""
    text = (root / "docs/architecture.md").read_text(encoding="utf-8")
    section = text.partition("## Call paths")[2].partition("\nPaths are")[0]
    return {name: set(FILE.findall(line)) for name, line in BULLET.findall(section)}


async def test_every_file_that_a_call_path_names_is_passed(
    documented: dict[str, set[str]],
) -> None:
    taken: dict[str, Calls] = await paths()

    for name, calls in taken.items():
        named = {file for file in documented[name] if not file.startswith(BEFORE)}
        passed = {file.removeprefix("/") for file, _function in calls}
        assert named <= passed, (name, named - passed)


@pytest.mark.parametrize("name", GUARANTEES)
def test_a_call_path_names_the_files_that_carry_guarantees(
    documented: dict[str, set[str]], name: str
) -> None:
    assert documented[name] >= GUARANTEES[name]
