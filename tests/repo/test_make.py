"""The commands a newcomer types first."""

from __future__ import annotations

import importlib
import re
import subprocess
import tomllib
from pathlib import Path

TARGETS = {"setup", "demo", "dev", "test", "lint", "fmt", "bench", "rehearse", "lock", "clean"}


def test_help_lists_every_target(root: Path) -> None:
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony, "The Makefile must declare its targets in one .PHONY line."

    shown = subprocess.run(["make", "help"], cwd=root, capture_output=True, text=True, check=True)

    described = set(re.findall(r"^  make (\w+) +\S", shown.stdout, re.MULTILINE))
    assert described == set(phony.group(1).split()), "Give each target a one-line ## comment."
    assert described >= TARGETS, f"Documents rely on these targets: {sorted(TARGETS - described)}"


def test_ci_runs_what_developers_run(root: Path) -> None:
    script = (root / ".ci" / "run").read_text(encoding="utf-8")

    targets = ("make lint", "make test", "make demo", "make rehearse")
    missing = [target for target in targets if f"\n{target}\n" not in script]

    assert "set -euo pipefail" in script, ".ci/run must stop at the first failure."
    assert not missing, f".ci/run must run the developers' own targets: {missing}"


def test_the_entry_points_in_pyproject_exist(root: Path) -> None:
    pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    named = [*pyproject["project"]["scripts"].values(), pyproject["tool"]["vercel"]["entrypoint"]]

    for entry in named:
        module, _, attribute = entry.partition(":")
        target = getattr(importlib.import_module(module), attribute, None)
        assert callable(target), f"pyproject.toml names {entry}, and nothing callable is there."
