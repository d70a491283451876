"""What lies in each function's artefact, as explicit lists: a package that is not on its list is
not shipped, and one that is not needed does not stay on it by accident (tests/deploy)."""

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
        "h11",
        "httpcore",
        "httpx",
        "idna",
        "pydantic",
        "pydantic-core",
        "typing-extensions",
        "typing-inspection",
        "upstash-redis",
    }
)
_LOGS_AND_PARAMETERS = frozenset({"aws-lambda-powertools", "jmespath"})
_WEB = frozenset({"mangum", "starlette"})
_DEVELOPERS_ONLY = ("shared/cli", "shared/embedded", "shared/testing.py")


@dataclass(frozen=True, slots=True)
class Function:
    """One deployed function: the locked distributions it ships and our own code it leaves out."""

    name: str
    distributions: frozenset[str]
    left_out: tuple[str, ...]

    @property
    def module(self) -> str:
        """What the platform imports."""
        return f"functions.{self.name}"


FUNCTIONS = {
    "api": Function(
        "api",
        _ENGINE | _LOGS_AND_PARAMETERS | _WEB,
        (*_DEVELOPERS_ONLY, "functions/drain.py"),
    ),
    "drain": Function(
        "drain",
        _ENGINE | _LOGS_AND_PARAMETERS,
        (*_DEVELOPERS_ONLY, "functions/api.py", "shared/web"),
    ),
}


def own_files(function: Function, root: Path = ROOT) -> Iterator[Path]:
    """Our code for this function, relative to `root`, sorted; caches and hidden files stay out."""
    for folder in SOURCES:
        for path in sorted((root / folder).rglob("*")):
            relative = path.relative_to(root)
            hidden = any(part.startswith(".") or part == "__pycache__" for part in relative.parts)
            left_out = any(relative.is_relative_to(name) for name in function.left_out)
            if path.is_file() and not hidden and not left_out:
                yield relative


def locked(function: Function, lock: Path = LOCK) -> str:
    """The lines of the lock, hashes and all, for this function's distributions.

    Raises KeyError for a distribution that the lock does not hold.
    """
    entries: dict[str, str] = {}
    for entry in lock.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        name, pinned, _ = entry.partition("==")
        if pinned and not entry.lstrip().startswith("#"):
            entries[name.strip()] = entry
    return "".join(f"{entries[name]}\n" for name in sorted(function.distributions))
