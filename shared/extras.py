"""The packages that only an extra of `tidegate` installs, and the error where one is missing."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec

from .errors import ConfigurationError

PACKAGES = {
    "cli": frozenset({"typer", "click", "rich"}),
    "embedded": frozenset({"fakeredis", "hiredis", "httptools", "redis", "uvicorn"}),
    "encryption": frozenset({"cryptography"}),
    "postgres": frozenset({"psycopg"}),
}
"""Extra -> the top-level modules that its code imports."""


class MissingExtra(ConfigurationError):
    """A package is missing that an extra of `tidegate` installs."""


@contextmanager
def packages_of(extra: str, purpose: str) -> Generator[None, None, None]:
    """For imports: raises MissingExtra, which names what to install, where a package of `extra` is
    missing. `purpose` begins the sentence: what needs the package."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in PACKAGES[extra]:
            raise
        raise _missing_package(package, extra, purpose) from None


def require_package(package: str, extra: str, purpose: str) -> None:
    """Raises MissingExtra unless `package` is there. It imports nothing."""
    if find_spec(package) is None:
        raise _missing_package(package, extra, purpose)


def _missing_package(package: str, extra: str, purpose: str) -> MissingExtra:
    return MissingExtra(
        f"{purpose} needs the package {package}, which is not installed here. "
        f"Install it with: pip install 'tidegate[{extra}]'"
    )
