"""What is inside the zips, and that they are the same bytes every time."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from functools import partial
from importlib.metadata import distribution, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.manifest import (
    FUNCTIONS,
    LOCK,
    ROOT,
    Function,
    PackagingError,
    functions,
    left_out,
    lock_of,
    locked,
    own_files,
)
from infra.package import (
    EPOCH,
    LARGEST_DRAIN,
    Artefact,
    Target,
    build,
    check_committed,
    check_complete,
    install,
    largest,
    main,
    write_zip,
)

pytestmark = pytest.mark.timeout(240)  # installs from the index the first time
DEVELOPERS_ONLY = {"functions/demo", "shared/cli", "shared/embedded", "shared/testing"}


def _names(artefact: Artefact) -> list[str]:
    with zipfile.ZipFile(artefact.path) as archive:
        return archive.namelist()


def _pinned(*needs: str) -> set[str]:
    texts = [lock.read_text(encoding="utf-8") for lock in (LOCK, *map(lock_of, needs))]
    return set(re.findall(r"^([a-z0-9.-]+)==", "".join(texts), re.MULTILINE))


def test_two_builds_are_the_same_bytes(
    artefacts: dict[str, Artefact], here: Target, sources: Path, tmp_path: Path
) -> None:
    again = build(FUNCTIONS["drain"], here, tmp_path, root=sources)

    assert again.sha256 == artefacts["drain"].sha256, "sources unchanged, bytes changed"


def test_times_order_and_modes_are_fixed(artefacts: dict[str, Artefact]) -> None:
    for artefact in artefacts.values():
        with zipfile.ZipFile(artefact.path) as archive:
            entries = archive.infolist()

        assert {entry.date_time for entry in entries} == {EPOCH}
        assert {entry.external_attr >> 16 for entry in entries} == {0o100644}
        assert [entry.filename for entry in entries] == sorted(e.filename for e in entries)


def test_the_drain_carries_no_web_code_and_no_tools(artefacts: dict[str, Artefact]) -> None:
    tops = {name.split("/")[0] for name in _names(artefacts["drain"])}
    rooms = {"/".join(name.split("/")[:2]) for name in _names(artefacts["drain"])}

    assert not tops & {"starlette", "mangum", "boto3", "botocore", "uvicorn", "fakeredis", "bin"}
    assert not rooms & {*DEVELOPERS_ONLY, "shared/web"}
    assert {"functions/drain.py", "functions/apps", "shared/store"} <= rooms
    assert artefacts["drain"].zipped < largest(FUNCTIONS["drain"])


def test_a_drain_without_needs_of_applications_is_small(
    here: Target, sources: Path, tmp_path: Path
) -> None:
    drain = functions("documents")["drain"]

    assert not drain.needs
    assert build(drain, here, tmp_path, root=sources).zipped < LARGEST_DRAIN == largest(drain)


def test_the_api_carries_web_code_and_no_tools(artefacts: dict[str, Artefact]) -> None:
    rooms = {"/".join(name.split("/")[:2]) for name in _names(artefacts["api"])}

    assert {"functions/api.py", "shared/web", "starlette/routing.py"} <= rooms
    assert not rooms & DEVELOPERS_ONLY


def test_the_archives_function_carries_psycopg_migrations_and_no_web_code(
    artefacts: dict[str, Artefact],
) -> None:
    names = _names(artefacts["maintain"])
    rooms = {"/".join(name.split("/")[:2]) for name in names}

    assert {"functions/maintain.py", "psycopg/__init__.py"} <= {*names}
    assert any(name.startswith("shared/archive/migrations/0001") for name in names)
    assert any(name.startswith("psycopg_binary.libs/") for name in names)
    assert not rooms & {*DEVELOPERS_ONLY, "shared/web", "functions/drain.py", "functions/api.py"}


def test_scripts_and_data_ride_along(artefacts: dict[str, Artefact]) -> None:
    for artefact in artefacts.values():
        names = _names(artefact)

        assert "shared/store/lua/turn.lua" in names
        assert "functions/apps/trading_journal/data/stocks.csv" in names


def test_byte_code_is_shipped_for_the_interpreter_that_is_here(
    artefacts: dict[str, Artefact],
) -> None:
    names = _names(artefacts["drain"])
    sources = {name for name in names if name.endswith(".py")}
    tag = f"cpython-{sys.version_info.major}{sys.version_info.minor}"
    compiled = {
        name.replace("__pycache__/", "").replace(f".{tag}.pyc", ".py")
        for name in names
        if name.endswith(f".{tag}.pyc")
    }

    assert artefacts["drain"].byte_code
    assert sources == compiled


def test_byte_code_is_unchecked_so_that_times_do_not_matter(artefacts: dict[str, Artefact]) -> None:
    with zipfile.ZipFile(artefacts["drain"].path) as archive:
        code = next(name for name in archive.namelist() if name.endswith(".pyc"))
        flags = int.from_bytes(archive.read(code)[4:8], "little")

    assert flags == 0b01, "0b01 is hash-based and never checked (PEP 552)"


def test_nothing_of_a_developers_machine_is_packed(artefacts: dict[str, Artefact]) -> None:
    for artefact in artefacts.values():
        strange = [
            name
            for name in _names(artefact)
            if any(part.startswith(".") for part in name.split("/"))
            or name.endswith(("/RECORD", "/INSTALLER", "/direct_url.json"))
        ]

        assert not strange


def _shipped(name: str, lock: Path = LOCK) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in locked(FUNCTIONS[name], lock)}


def test_every_locked_distribution_is_shipped_but_for_what_a_function_omits() -> None:
    for name in ("api", "drain"):
        omitted = {"mangum", "starlette"} if name == "drain" else set()
        assert _shipped(name) == _pinned(*FUNCTIONS[name].needs) - omitted
    assert _shipped("maintain") == _pinned("postgres") - {"mangum", "starlette"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_ships_what_its_distributions_require(name: str) -> None:
    missing = set()
    for shipped in _shipped(name):
        for line in requires(shipped) or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                missing |= {canonicalize_name(needed.name)} - _shipped(name)

    assert not missing, f"{name} omits what it needs, see infra/manifest.py: {missing}"


def test_a_new_line_of_the_lock_is_in_every_function(here: Target, tmp_path: Path) -> None:
    lock = _lock_with(tmp_path, "sortedcontainers")

    for name, function in FUNCTIONS.items():
        install(function, here, tmp_path / name, lock)

        assert (tmp_path / name / "sortedcontainers" / "sortedlist.py").is_file()


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("sortedcontainers*", "nothing of it was installed"),
        ("sortedcontainers/sortedlist.py", "without sortedcontainers/sortedlist.py"),
    ],
)
def test_a_locked_distribution_that_is_missing_fails_the_packaging_by_its_name(
    here: Target, tmp_path: Path, gone: str, said: str
) -> None:
    tiny = Function("tiny", omits=frozenset(_pinned()))
    lock, tree = _lock_with(tmp_path, "sortedcontainers"), tmp_path / "tree"
    for file in distribution("sortedcontainers").files or ():
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(str(file.locate())), tree / file)
    check_complete(tiny, here, tree, lock)

    for path in tree.glob(gone):
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    with pytest.raises(PackagingError, match=f"sortedcontainers==.* tiny lacks it: {said}"):
        check_complete(tiny, here, tree, lock)


def _lock_with(folder: Path, name: str) -> Path:
    """The runtime's lock with one line more, which the developers' lock has."""
    developers = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    (entry,) = re.findall(rf"^{name}==(?:.*\\\n)*.*\n", developers, re.MULTILINE)
    lock = folder / "runtime.txt"
    lock.write_text(LOCK.read_text(encoding="utf-8") + entry, encoding="utf-8")
    return lock


def test_hashes_are_kept_for_the_installer() -> None:
    lines = locked(FUNCTIONS["drain"]).values()

    assert lines
    assert all("--hash=sha256:" in line for line in lines)


def test_what_a_function_omits_must_be_locked(tmp_path: Path) -> None:
    lock = tmp_path / "runtime.txt"
    lock.write_text("httpx==0.28.1 \\\n    --hash=sha256:00\n", encoding="utf-8")

    with pytest.raises(PackagingError, match="mangum"):
        locked(FUNCTIONS["drain"], lock)


STRANGERS = (
    *("functions/credentials.env", "functions/apps/key.pem", "functions/apps/customers.csv"),
    *("shared/notes.txt", "shared/store.json", "functions/apps/trading_journal/data/other.csv"),
    *("functions/id_rsa", "shared/dump.sql.gz", "functions/apps/page.html", "shared/x.pyc"),
)
HIDDEN = ("shared/__pycache__/a.pyc", "shared/.env", "functions/.aws/credentials.py")


def _write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("", encoding="utf-8")


def test_only_code_scripts_and_declared_data_are_shipped(tmp_path: Path) -> None:
    ours = ["functions/apps/trading_journal/data/stocks.csv", "functions/drain.py", "shared/a.lua"]
    _write(tmp_path, *ours, *STRANGERS, *HIDDEN)

    packed = [path.as_posix() for path in own_files(FUNCTIONS["drain"], tmp_path)]

    assert packed == ours
    assert {path.as_posix() for path in left_out(tmp_path)} == set(STRANGERS)


@pytest.mark.parametrize("name", ["functions/linked.py", "shared/linked.lua", "functions/linked"])
def test_a_link_is_refused(tmp_path: Path, name: str) -> None:
    _write(tmp_path, "functions/drain.py", "shared/a.py", "outside/secret.py")
    (tmp_path / name).symlink_to(
        tmp_path / ("outside" if name.endswith("ed") else "outside/secret.py")
    )

    with pytest.raises(PackagingError, match=f"{name} is a link"):
        list(own_files(FUNCTIONS["drain"], tmp_path))


def test_a_source_that_git_does_not_track_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, "functions/drain.py", "shared/a.py")
    git = partial(subprocess.run, cwd=tmp_path, check=True, capture_output=True)
    git(["git", "init"])
    git(["git", "add", "."])
    check_committed(tmp_path)
    _write(tmp_path, "functions/local_settings.py", "functions/credentials.env", ".gitignore")

    with pytest.raises(PackagingError, match=r"does not track functions/local_settings\.py:"):
        check_committed(tmp_path)


def test_a_zip_does_not_depend_on_when_files_were_written(tmp_path: Path) -> None:
    tree, copy = tmp_path / "tree", tmp_path / "copy"
    (tree / "b").mkdir(parents=True)
    (tree / "b" / "x.py").write_text("x = 1\n", encoding="utf-8")
    (tree / "a.py").write_text("a = 1\n", encoding="utf-8")
    shutil.copytree(tree, copy, copy_function=shutil.copyfile)
    (copy / "a.py").chmod(0o600)

    sizes = write_zip(tree, tmp_path / "one.zip"), write_zip(copy, tmp_path / "two.zip")

    assert sizes == (12, 12)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_an_unknown_function_is_refused_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["worker"])

    assert "there are api and drain" in capsys.readouterr().err
