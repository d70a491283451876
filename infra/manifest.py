"""The contents of each function's artefact: what requirements/runtime.txt locks, what the locks of
its applications' needs add, and of this repository the kinds of files that are listed here. Nothing
else is shipped, whatever lies there."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("functions", "shared")
LOCK = ROOT / "requirements" / "runtime.txt"
SUFFIXES = frozenset({".py", ".lua", ".sql"})
"""The files that are shipped. Others are data, which must be declared: a folder that is deployed
also holds what nobody means to deploy, such as credentials and a customer's files."""
DATA = frozenset({"functions/apps/trading_journal/data/stocks.csv"})
APPS = Path("functions/apps")
NEEDS = "needs.toml"
"""A file of an application's package: `needs = ["postgres"]` names requirements/postgres.txt."""
DEVELOPERS_ONLY = ("functions/demo", "shared/cli", "shared/embedded", "shared/testing")


class PackagingError(Exception):
    """This artefact can't be built, or must not be."""


@dataclass(frozen=True, slots=True)
class Function:
    """One deployed function. It ships all that is locked and all sources, but for what it omits.
    `needs`: the locks beside runtime.txt."""

    name: str
    needs: frozenset[str] = frozenset()
    omits: frozenset[str] = frozenset()
    """Locked distributions that nothing in it imports."""
    excluded: tuple[str, ...] = ()
    """Folders and files of this repository."""

    @property
    def module(self) -> str:
        """The module that the platform imports."""
        return f"functions.{self.name}"


ARCHIVE = frozenset({"postgres"})
"""What the archive needs: psycopg, which is loaded when it is opened."""


@dataclass(frozen=True, slots=True)
class Application:
    """One package of functions/apps, and what it needs beside the engine."""

    name: str
    needs: frozenset[str]

    @property
    def folder(self) -> str:
        return f"{APPS.as_posix()}/{self.name}"


def applications() -> dict[str, Application]:
    """All by name. Raises PackagingError for a need without a lock."""
    packages = sorted(path.parent for path in (ROOT / APPS).glob("*/__init__.py"))
    return {folder.name: Application(folder.name, _needs(folder)) for folder in packages}


def functions(app: str | None = None) -> dict[str, Function]:
    """The functions of a deployment that serves this application, or all. Raises PackagingError
    for an unknown one."""
    known = applications()
    if app is not None and app not in known:
        raise PackagingError(f"there is no application {app}; there are {', '.join(known)}")
    served = [known[app]] if app else list(known.values())
    excluded = (*DEVELOPERS_ONLY, *(one.folder for one in known.values() if one not in served))
    needs = frozenset[str]().union(*(one.needs for one in served))
    web = frozenset({"mangum", "starlette"})
    return {
        "api": Function("api", needs | ARCHIVE, excluded=(*excluded, *_doors("api"))),
        "drain": Function(
            "drain", needs, omits=web, excluded=(*excluded, *_doors("drain"), "shared/web")
        ),
        "maintain": Function(  # it runs no handlers
            "maintain", ARCHIVE, omits=web, excluded=(*excluded, *_doors("maintain"), "shared/web")
        ),
    }


def _doors(name: str) -> list[str]:
    """The modules of the other functions."""
    return [f"functions/{other}.py" for other in ("api", "drain", "maintain") if other != name]


def _needs(folder: Path) -> frozenset[str]:
    file = folder / NEEDS
    needs = tomllib.loads(file.read_text("utf-8"))["needs"] if file.exists() else []
    for need in needs:
        if not lock_of(need).exists():
            raise PackagingError(f"{folder.name} needs {need!r}: requirements/ has no such lock")
    return frozenset(needs)


def lock_of(need: str) -> Path:
    """The lock of what a function may need beside the engine."""
    return LOCK.with_name(f"{need}.txt")


def own_files(function: Function, root: Path = ROOT) -> Iterator[Path]:
    """The files of this repository that the function ships, relative to `root` and sorted. Raises
    PackagingError for a link."""
    for path in source_files(root):
        if not any(path.is_relative_to(name) for name in function.excluded):
            yield path


def source_files(root: Path = ROOT) -> Iterator[Path]:
    """The files in `SOURCES` that any function may ship, relative to `root` and sorted. Raises
    PackagingError for a link: it may lead to anything on this machine."""
    for path in _files(root):
        if (root / path).is_symlink():
            raise PackagingError(f"{path} is a link: put the file itself there, or remove it")
        if _is_allowed(path):
            yield path


def left_out(root: Path = ROOT) -> list[Path]:
    """The files in `SOURCES` of another kind, which no function ships."""
    return [path for path in _files(root) if not _is_allowed(path) and path.name != NEEDS]


def locked(function: Function, lock: Path = LOCK) -> dict[Requirement, str]:
    """The distributions that this function ships, each with its line of the locks and so its
    hashes.

    Raises PackagingError if the engine's lock has not what the function omits.
    """
    entries = _entries(lock)
    stale = function.omits - {canonicalize_name(requirement.name) for requirement in entries}
    if stale:
        raise PackagingError(f"{function.name} omits what {lock.name} has not: {sorted(stale)}")
    for need in sorted(function.needs):
        entries |= _entries(lock_of(need))
    return {
        requirement: entry
        for requirement, entry in entries.items()
        if canonicalize_name(requirement.name) not in function.omits
    }


def _entries(lock: Path) -> dict[Requirement, str]:
    lines = lock.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    return {
        Requirement(line.partition(" --hash")[0]): line
        for line in lines
        if line.strip() and not line.lstrip().startswith("#")
    }


def _files(root: Path) -> Iterator[Path]:
    """Every visible file and link in `SOURCES`, relative to `root` and sorted."""
    for folder in SOURCES:
        for path in sorted((root / folder).rglob("*")):
            relative = path.relative_to(root)
            hidden = any(part.startswith(".") or part == "__pycache__" for part in relative.parts)
            if not hidden and (path.is_file() or path.is_symlink()):
                yield relative


def _is_allowed(path: Path) -> bool:
    return path.suffix in SUFFIXES or path.as_posix() in DATA


FUNCTIONS = functions()
"""Those of a deployment that serves every application."""
