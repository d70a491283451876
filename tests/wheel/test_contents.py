"""What the wheel holds: one package, with its scripts and templates, and no application."""

from __future__ import annotations

import re
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from infra.manifest import ROOT


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        return Parser().parsestr(archive.read(name).decode("utf-8"))


def test_it_installs_one_package(names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in names}

    assert {top for top in tops if not top.endswith(".dist-info")} == {"tidegate"}


def test_it_holds_every_file_of_the_folder_and_no_other(names: set[str]) -> None:
    ours = {
        f"tidegate/{path.relative_to(ROOT / 'shared').as_posix()}"
        for path in (ROOT / "shared").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    kinds = {name.rpartition(".")[2] for name in ours}

    assert {name for name in names if name.startswith("tidegate/")} == ours
    assert {"tidegate/py.typed", "tidegate/store/lua/lib/claim.lua"} <= ours
    assert kinds == {"py", "lua", "sql", "typed", "template"}


def test_no_module_of_it_knows_the_name_of_the_folder(wheel: Path) -> None:
    rooms = "|".join(path.stem for path in (ROOT / "shared").glob("[a-z]*"))
    named = re.compile(rf"(?<![\w.])(?:(?:import|from) shared\b|shared\.(?:{rooms})\b)")
    with zipfile.ZipFile(wheel) as archive:
        modules = [name for name in archive.namelist() if name.endswith((".py", ".template"))]
        lines = [
            f"{name}: {line.strip()}"
            for name in modules
            for line in archive.read(name).decode("utf-8").splitlines()
            if named.search(line)
        ]

    assert modules
    assert lines == [], "relative imports only, and texts that say tidegate"


def test_the_metadata_say_what_an_index_needs(metadata: Message) -> None:
    assert metadata["Name"] == "tidegate"
    assert metadata["Requires-Python"] == ">=3.11"
    extras = {"cli", "embedded", "encryption", "otel", "postgres"}
    assert set(metadata.get_all("Provides-Extra") or ()) == extras
    assert "Typing :: Typed" in (metadata.get_all("Classifier") or ())
    assert str(metadata.get_payload()).startswith("# Tidegate")
