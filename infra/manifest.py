"""The contents of each function's artefact, as explicit lists. A package that is not listed is not
shipped; tests/deploy fails when the lists and the lock differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("functions", "shared")
LOCK = ROOT / "requirements" / "runtime.txt"

_ENGINE = frozenset(
    {
        "annotated-types",
        "anyio",  # httpcore's backend, imported with the first request
        "certifi",
        "cronsim",
        "h11",
        "httpcore",
        "httpx",
        "idna",
        "pydantic",
        "pydantic-core",
        "typing-extensions",
        "typing-inspection",
        "tzdata",  # Lambda's image has no time zones
        "upstash-redis",
    }
)
_LOGS_AND_PARAMETERS = frozenset({"aws-lambda-powertools", "jmespath"})
_WEB = frozenset({"mangum", "starlette"})
DEVELOPERS_ONLY = ("functions/demo", "shared/cli", "shared/embedded", "shared/testing")


@dataclass(frozen=True, slots=True)
class Function:
    """One deployed function: the locked distributions that it ships and the folders and files of
    this repository that it omits."""

    name: str
    distributions: frozenset[str]
    excluded: tuple[str, ...]

    @property
    def module(self) -> str:
        """The module that the platform imports."""
        return f"functions.{self.name}"


FUNCTIONS = {
    "api": Function(
        "api",
        _ENGINE | _LOGS_AND_PARAMETERS | _WEB,
        (*DEVELOPERS_ONLY, "functions/drain.py"),
    ),
    "drain": Function(
        "drain",
        _ENGINE | _LOGS_AND_PARAMETERS,
        (*DEVELOPERS_ONLY, "functions/api.py", "shared/web"),
    ),
}


def own_files(function: Function, root: Path = ROOT) -> Iterator[Path]:
    """The files of this repository that the function ships, relative to `root` and sorted, without
    caches and hidden files."""
    for folder in SOURCES:
        for path in sorted((root / folder).rglob("*")):
            relative = path.relative_to(root)
            hidden = any(part.startswith(".") or part == "__pycache__" for part in relative.parts)
            excluded = any(relative.is_relative_to(name) for name in function.excluded)
            if path.is_file() and not hidden and not excluded:
                yield relative


def locked(function: Function, lock: Path = LOCK) -> str:
    """The lock's lines for this function's distributions, hashes included.

    Raises KeyError for a distribution that the lock does not hold.
    """
    entries: dict[str, str] = {}
    for entry in lock.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        name, pinned, _ = entry.partition("==")
        if pinned and not entry.lstrip().startswith("#"):
            entries[name.strip()] = entry
    return "".join(f"{entries[name]}\n" for name in sorted(function.distributions))
