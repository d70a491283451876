"""`tidegate new`: which names it takes, and that it writes beside nothing that exists. tests/wheel
runs the project that it writes."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from shared.cli.exit_codes import Exit
from tests.cli.conftest import Cli


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "projects"
    made.mkdir()
    return made


def files(folder: Path) -> list[str]:
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(path.as_posix() for path in found)


@pytest.mark.parametrize("name", ["a", "shop", "my-shop-2", "s" * 40])
def test_it_writes_a_project_and_says_what_is_next(cli: Cli, folder: Path, name: str) -> None:
    ran = cli("new", name, "--into", str(folder), "--json")
    module = name.replace("-", "_")

    assert ran.code is Exit.OK
    assert ran.json == {"folder": str(folder / name), "files": files(folder / name)}
    assert {f"{module}.py", f"tests/test_{module}.py", "functions/apps.py", ".gitignore"} <= set(
        files(folder / name)
    )


@pytest.mark.parametrize(
    "name", ["Shop", "a--b", "shop-", "-shop", "a/b", "..", "", "s" * 41, "a b", "schön", "a_b"]
)
def test_a_name_that_is_none_is_refused(cli: Cli, folder: Path, name: str) -> None:
    ran = cli("new", "--into", str(folder), "--", name)

    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert "is no project name" in ran.err
    assert files(folder) == []


@pytest.mark.parametrize(
    "name", ["tests", "functions", "build", "vendor", "class", "json", "pydantic"]
)
def test_a_name_that_python_uses_is_refused(cli: Cli, folder: Path, name: str) -> None:
    ran = cli("new", name, "--into", str(folder))

    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert "choose another name" in ran.err
    assert files(folder) == []


@pytest.mark.parametrize("there", ["folder", "file", "link"])
def test_nothing_is_overwritten(cli: Cli, folder: Path, there: str) -> None:
    if there == "folder":
        (folder / "shop").mkdir()
    elif there == "file":
        (folder / "shop").write_text("mine", encoding="utf-8")
    else:
        (folder / "shop").symlink_to(folder / "nowhere")
    before = files(folder)

    ran = cli("new", "shop", "--into", str(folder))

    assert ran.code is Exit.USAGE
    assert "exists already, and nothing is overwritten" in ran.err
    assert files(folder) == before


def test_the_same_name_again_is_told_as_such(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)  # as `python -m` has it: the project can be imported
    assert cli("new", "foo").code is Exit.OK

    ran = cli("new", "foo")

    assert (ran.code, ran.err.startswith("tidegate: foo exists already")) == (Exit.USAGE, True)


def test_a_folder_that_is_not_there_is_one_sentence(cli: Cli, folder: Path) -> None:
    ran = cli("new", "shop", "--into", str(folder / "nowhere"))

    assert ran.code is Exit.CONFIGURATION
    assert "can't write" in ran.err
    assert ran.err.count("\n") == 1


REQUIREMENTS = ("requirements.txt", "requirements-dev.txt", "pyproject.toml")


def requirements(project: Path) -> set[str]:
    """The lines of a project that name Tidegate as a package."""
    texts = [(project / name).read_text("utf-8") for name in REQUIREMENTS]
    return {line for line in "\n".join(texts).splitlines() if "tidegate" in line}


def test_a_project_asks_no_index_for_a_package_that_is_not_there(cli: Cli, folder: Path) -> None:
    wheel = f"vendor/tidegate-{version('tidegate')}-py3-none-any.whl"

    ran = cli("new", "shop", "--into", str(folder))

    assert requirements(folder / "shop") == {
        f"./{wheel}",
        f"./{wheel}[cli,embedded]",
        'dependencies = ["tidegate"]',
        f'tidegate = {{ path = "{wheel}" }}',
    }
    assert wheel in (folder / "shop" / "README.md").read_text("utf-8")
    assert "First copy tidegate-" in ran.err, "a checkout was installed from no wheel"


def test_once_it_is_released_a_project_requires_its_name(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.cli.wheel.IS_RELEASED", True)

    ran = cli("new", "shop", "--into", str(folder))

    assert requirements(folder / "shop") == {
        "tidegate",
        "tidegate[cli,embedded]",
        'dependencies = ["tidegate"]',
    }
    assert "PyPI" not in (folder / "shop" / "README.md").read_text("utf-8")
    assert "wheel" not in ran.err
    assert "{{" not in "".join((folder / "shop" / name).read_text("utf-8") for name in REQUIREMENTS)
