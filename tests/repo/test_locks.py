"""The locks install anywhere: hashed, without an index, and in step with pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NEEDS = ("encryption", "postgres", "pictures")
"""What an application may need beside the engine: an extra, or a group where only an application of
this repository uses it."""
LOCKS = ("runtime", "dev", *NEEDS)


def _pins(root: Path, lock: str) -> dict[str, Requirement]:
    text = (root / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    joined = text.replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]
    pins = [Requirement(line.partition(" --hash")[0]) for line in lines]
    return {canonicalize_name(pin.name): pin for pin in pins}


def _declared(root: Path, lock: str) -> list[Requirement]:
    pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    declared = list(pyproject["project"]["dependencies"])
    groups = {**pyproject["project"]["optional-dependencies"], **pyproject["dependency-groups"]}
    if lock == "dev":
        declared += [line for lines in groups.values() for line in lines if isinstance(line, str)]
    return [Requirement(line) for line in (*declared, *groups.get(lock, []) * (lock in NEEDS))]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_an_exact_pin_with_hashes_and_nothing_else(root: Path, lock: str) -> None:
    text = (root / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    joined = re.sub(r" *\\\n *", " ", text)
    lines = [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]

    pin = re.compile(r"[a-z0-9.-]+==[^\s;]+( ; [^-]+?)?( --hash=sha256:[0-9a-f]{64})+")
    strange = [line[:80] for line in lines if not pin.fullmatch(line)]

    assert lines, f"requirements/{lock}.txt is empty: run `make lock`."
    assert not strange, f"requirements/{lock}.txt: run `make lock` instead of editing: {strange}"


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_satisfies_every_declared_dependency(root: Path, lock: str) -> None:
    pins = _pins(root, lock)

    stale = []
    for wanted in _declared(root, lock):
        pin = pins.get(canonicalize_name(wanted.name))
        locked = str(pin.specifier).removeprefix("==") if pin else None
        if locked is None or not wanted.specifier.contains(locked, prereleases=True):
            stale.append(str(wanted))

    assert not stale, (
        f"pyproject.toml wants what requirements/{lock}.txt lacks: run `make lock`: {stale}"
    )


@pytest.mark.parametrize("lock", ["runtime", *NEEDS])
def test_functions_run_on_the_versions_that_the_tests_ran_on(root: Path, lock: str) -> None:
    pins, dev = _pins(root, lock), _pins(root, "dev")

    different = {name for name, pin in pins.items() if pin.specifier != dev[name].specifier}

    assert not different, f"the two locks disagree; run `make lock`: {sorted(different)}"


def test_vercels_builder_takes_the_versions_of_the_lock(root: Path) -> None:
    pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    constraints = pyproject["tool"]["uv"]["constraint-dependencies"]
    pins = _pins(root, "runtime").values()

    assert sorted(constraints) == sorted(f"{pin.name}{pin.specifier}" for pin in pins), (
        "Copy the versions of requirements/runtime.txt to tool.uv in pyproject.toml."
    )


def test_the_locks_of_needs_begin_with_the_engines_own_lines(root: Path) -> None:
    runtime = _pins(root, "runtime")

    for need in NEEDS:
        pins = _pins(root, need)
        assert {name: pins[name] for name in runtime} == runtime, f"run `make lock`: {need}.txt"
        assert len(pins) > len(runtime)


def test_a_function_does_not_carry_what_only_developers_need(root: Path) -> None:
    heavy = {"boto3", "botocore", "fastapi", "uvicorn", "typer", "rich"} & set(
        _pins(root, "runtime")
    )

    assert not heavy, (
        f"{sorted(heavy)} would cost every cold start: make it an extra, import it lazily."
    )
