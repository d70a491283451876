"""What the artefact of one application carries: its own needs, its own code, nothing of another."""

from __future__ import annotations

import ast
import importlib
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from infra import upload
from infra.manifest import ROOT, PackagingError, applications, functions, locked, own_files

APPLICATIONS = sorted(applications())
ENGINE = {"shared", "functions", "pydantic", "httpx"}
BY_THE_PLATFORM = {"boto3"}
"""Lambda's runtime has it."""


def shipped(app: str | None, name: str = "drain") -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in locked(functions(app)[name])}


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file names in an import, wherever the import stands."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parent.as_posix().replace("/", ".")
            yield f"{package}.{node.module or ''}"


def reached(app: str) -> set[str]:
    """The third parties that an application's code imports, and the providers' that it uses."""
    files = sorted((ROOT / "functions" / "apps" / app).rglob("*.py"))
    seen, names = set(files), set[str]()
    while files:
        for name in imports_of(files.pop()):
            names.add(name.partition(".")[0])
            module = ROOT / f"{name.replace('.', '/')}.py"
            if name.startswith("functions.providers.") and module.exists() and module not in seen:
                seen.add(module)
                files.append(module)
    return names - set(sys.stdlib_module_names) - ENGINE - BY_THE_PLATFORM


@pytest.mark.parametrize("app", APPLICATIONS)
def test_an_application_names_what_its_code_imports_and_nothing_else(app: str) -> None:
    distributions = packages_distributions()
    imported = {canonicalize_name(distributions[name][0]) for name in reached(app)}
    extra = shipped(app, "drain") - shipped("documents", "drain")

    assert imported <= shipped(app, "drain"), f"functions/apps/{app}/needs.toml lacks a need"
    assert bool(extra) == bool(imported), f"functions/apps/{app}/needs.toml names too much"


def test_an_application_with_an_encrypted_queue_carries_the_cipher() -> None:
    encrypted = {
        app
        for app in APPLICATIONS
        for queue in importlib.import_module(f"functions.apps.{app}").app.queues.values()
        if queue.encrypt
    }

    assert encrypted == {app for app in APPLICATIONS if "cryptography" in shipped(app)}


def test_pillow_is_carried_with_weather_only() -> None:
    carrying = {app for app in APPLICATIONS if "pillow" in shipped(app)}

    assert carrying == {"weather"}
    assert {"pillow", "psycopg", "psycopg-binary"} <= shipped(None), "all of them carry all needs"


@pytest.mark.parametrize("app", APPLICATIONS)
def test_an_artefact_of_one_application_has_no_code_of_another(app: str) -> None:
    for function in functions(app).values():
        folders = {
            path.parts[2]
            for path in own_files(function)
            if path.parts[:2] == ("functions", "apps") and len(path.parts) > 3
        }
        assert folders == {app}


def test_an_unknown_application_is_refused_with_those_there_are() -> None:
    with pytest.raises(PackagingError, match="no application wether; there are documents, "):
        functions("wether")


@pytest.mark.parametrize("app", [None, *APPLICATIONS])
def test_vercels_upload_is_what_the_function_ships_and_its_locked_needs(
    app: str | None, tmp_path: Path
) -> None:
    upload.prepare(tmp_path / "made", app)

    made = {
        path.relative_to(tmp_path / "made").as_posix()
        for path in (tmp_path / "made").rglob("*")
        if path.is_file()
    }
    project = tomllib.loads((tmp_path / "made" / "pyproject.toml").read_text("utf-8"))
    ours = {path.as_posix() for path in own_files(functions(app)["api"])}
    assert made == ours | {"vercel.json", "pyproject.toml", ".python-version"}
    assert all("." in Path(name).name for name in made)
    pinned = {
        canonicalize_name(line.partition("==")[0]) for line in project["project"]["dependencies"]
    }
    assert pinned == shipped(app, "api")


def test_a_file_without_a_suffix_does_not_go_to_vercel(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    for name in ("functions/api.py", "functions/id_rsa", "shared/Secrets", "shared/a.lua"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("", "utf-8")

    count = upload.prepare(tmp_path / "made", root=root)

    assert count == 2
    assert not [
        path for path in (tmp_path / "made").rglob("*") if path.name in ("id_rsa", "Secrets")
    ]


def test_hobby_s_upload_has_its_own_crons(tmp_path: Path) -> None:
    upload.prepare(tmp_path / "made", "documents", hobby=True)

    made = (tmp_path / "made" / "vercel.json").read_bytes()
    assert made == (ROOT / "infra" / "vercel" / "hobby.json").read_bytes()


def test_a_source_that_git_does_not_track_stops_the_upload(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def untracked() -> None:
        raise PackagingError("git does not track functions/mine.py")

    monkeypatch.setattr(upload, "check_committed", untracked)

    assert upload.main([]) == 1
    assert "infra.upload: git does not track functions/mine.py" in capsys.readouterr().err
