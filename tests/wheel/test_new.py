"""`tidegate new`: the project that it writes, and its README's commands exactly as written."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from infra.manifest import ROOT

from .conftest import TIMEOUT, Environment, Install, empty_environment, uv_run

pytestmark = [pytest.mark.timeout(TIMEOUT), pytest.mark.slow]
COMMANDS = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with CloudFormation's own tags, which are read as nothing."""


_Loader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


@pytest.fixture(scope="module")
def env(install: Install) -> Environment:
    return install("3.11", "cli", owner="new")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What its README says to make: an environment of its own, with nothing in it."""
    return empty_environment(tmp_path_factory.mktemp("fresh") / "venv")


@pytest.fixture(scope="module")
def project(env: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    made = env.run("tidegate", "new", "my-shop", cwd=folder)
    assert made.code == 0, made.err
    assert made.out == "pip install -r requirements-dev.txt\npytest\n"
    return folder / "my-shop"


def commands(project: Path, heading: str) -> str:
    """The commands of a section of the project's README."""
    section = (project / "README.md").read_text(encoding="utf-8").split(heading, 1)[1]
    found = COMMANDS.search(section)
    assert found, f"no commands after {heading!r}"
    return found[1]


def test_the_two_commands_of_its_readme_pass_and_then_it_runs(
    fresh: Environment, project: Path
) -> None:
    two = commands(project, "## Two commands")
    assert two.splitlines() == ["pip install -r requirements-dev.txt", "pytest"]

    tested = fresh.run("bash", "-ec", two, cwd=project)
    ran = fresh.run("bash", "-ec", commands(project, "## Run it here"), cwd=project)

    assert (tested.code, "2 passed" in tested.out) == (0, True), tested.out + tested.err
    assert (ran.code, "completed" in ran.out) == (0, True), ran.out + ran.err


def test_its_wheel_is_the_one_that_the_command_was_installed_from(
    project: Path, wheel: Path
) -> None:
    assert (project / "vendor" / wheel.name).read_bytes() == wheel.read_bytes()
    for name in ("requirements.txt", "requirements-dev.txt"):
        ours = [
            one for one in (project / name).read_text("utf-8").splitlines() if "tidegate" in one
        ]
        assert ours
        assert all(line.startswith(f"./vendor/{wheel.name}") for line in ours), ours


def test_vercels_installer_takes_the_wheel_of_the_project(project: Path, tmp_path: Path) -> None:
    """Vercel's builder runs `uv sync`."""
    copy = tmp_path / "copy"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("build*"))

    uv_run("sync", "--quiet", "--python", sys.executable, cwd=copy)

    lock = tomllib.loads((copy / "uv.lock").read_text("utf-8"))
    (ours,) = (one for one in lock["package"] if one["name"] == "tidegate")
    assert ours["source"] == {"path": f"vendor/tidegate-{ours['version']}-py3-none-any.whl"}
    assert list((copy / ".venv").glob("lib/*/site-packages/tidegate/hosts/asgi.py"))


def test_its_zip_for_lambda_holds_the_functions_and_what_they_need(
    fresh: Environment, project: Path
) -> None:
    pack, deploy = commands(project, "**AWS.**").rsplit("\n", 2)[:2]
    assert deploy.startswith("npx osls")

    packed = fresh.run("bash", "-ec", pack, cwd=project)

    assert packed.code == 0, packed.err
    with zipfile.ZipFile(project / "build.zip") as archive:
        names = set(archive.namelist())
    needed = {"functions/drain.py", "functions/api.py", "my_shop.py", "tidegate/store/lua/turn.lua"}
    assert needed <= names
    assert any(name.startswith("pydantic_core/") and "-313-x86_64" in name for name in names)


def test_its_templates_name_what_is_there(project: Path) -> None:
    aws: dict[str, Any] = yaml.load(
        (project / "serverless.yml").read_text(encoding="utf-8"),
        Loader=_Loader,  # noqa: S506 - it is a SafeLoader
    )
    pro = json.loads((project / "vercel.json").read_text(encoding="utf-8"))
    hobby = json.loads((project / "vercel.hobby.json").read_text(encoding="utf-8"))

    for function in aws["functions"].values():
        module = function["handler"].rpartition(".")[0]
        assert (project / f"{module.replace('.', '/')}.py").is_file()
    assert list(pro["functions"]) == ["functions/api.py"]
    assert pro["crons"] == [{"path": "/api/cron/drain", "schedule": "* * * * *"}]
    assert hobby == {**pro, "crons": [{"path": "/api/cron/drain", "schedule": "0 6 * * *"}]}
    assert "{{" not in "".join(
        path.read_text("utf-8") for path in project.glob("[a-z]*.*") if path.suffix != ".zip"
    )


def test_its_ticker_is_the_one_of_this_repository(project: Path) -> None:
    theirs = project / ".github" / "workflows" / "tick.yml"

    assert theirs.read_bytes() == (ROOT / "infra" / "vercel" / "tick.yml").read_bytes()


def test_nothing_is_overwritten(env: Environment, project: Path) -> None:
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}

    again = env.run("tidegate", "new", "my-shop", cwd=project.parent)

    assert (again.code, again.out) == (2, "")
    assert "exists already" in again.err
    assert {path: path.read_bytes() for path in before} == before
