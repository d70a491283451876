"""What the wheel holds: one package, with its scripts and templates, and no application."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from infra.manifest import ROOT, PackagingError
from infra.wheel import build

PROJECT = ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", ".gitignore")
STRAYS = (
    *("shared/id_rsa", "shared/secrets.json", "shared/prod.env", "shared/.aws/credentials"),
    *("shared/dump.sql.gz", "shared/.env", "shared/.hidden.py", "shared/store/kubeconfig"),
    *("shared/cli/template/notes.txt", "shared/keys.template", "shared/store/lua/id_ed25519"),
    *("shared/py.typed.orig", "shared/config/settings.py~", "shared/web/.venv/x.py"),
)
"""Files that nobody means to publish."""
UNTRACKED = (
    "shared/local_settings.py",
    "shared/archive/dump.sql",
    "shared/cli/template/a.template",
)
"""Files of the package's kinds that git does not know."""


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
    kinds = {name.rpartition(".")[2] for name in names if name.startswith("tidegate/")}

    assert {name for name in names if name.startswith("tidegate/")} == ours, "git add, or remove"
    assert {"tidegate/py.typed", "tidegate/store/lua/lib/claim.lua"} <= ours
    assert kinds == {"py", "lua", "sql", "typed", "template"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this one, in git."""
    folder = tmp_path / "checkout"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "shared", folder / "shared", ignore=ignore)
    for name in PROJECT:
        shutil.copy(ROOT / name, folder / name)
    git = ["git", "-C", str(folder)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "--all"], check=True)
    return folder


def _plant(checkout: Path, *names: str) -> None:
    for name in names:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("planted")


def test_what_lies_in_the_folder_and_is_no_part_of_it_is_in_neither_archive(
    checkout: Path, tmp_path: Path, names: set[str]
) -> None:
    _plant(checkout, *STRAYS)

    wheel = build(tmp_path / "dist", checkout)
    sdist = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(sdist, cwd=checkout, check=True, capture_output=True)

    with zipfile.ZipFile(wheel) as archive:
        assert set(archive.namelist()) == names
    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    sources = {name.replace("tidegate/", "shared/", 1) for name in names if "dist-info" not in name}
    assert packed - {"PKG-INFO"} == sources | set(PROJECT)


@pytest.mark.parametrize("name", UNTRACKED)
def test_a_file_that_git_does_not_track_stops_the_build(
    checkout: Path, tmp_path: Path, name: str
) -> None:
    _plant(checkout, name)

    with pytest.raises(PackagingError, match=re.escape(f"git does not track {name}")):
        build(tmp_path / "dist", checkout)

    assert not (tmp_path / "dist").exists()


def test_a_link_stops_the_build(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("planted")
    (checkout / "shared/linked.py").symlink_to(tmp_path / "secret")
    subprocess.run(["git", "-C", str(checkout), "add", "--all"], check=True)

    with pytest.raises(PackagingError, match=r"shared/linked\.py is a link"):
        build(tmp_path / "dist", checkout)


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
