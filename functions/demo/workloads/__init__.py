"""What the demonstration does with each application: a module a package of functions/apps, by its
name. One that is missing is an application that the demonstration does not show."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Protocol

from functions import apps

from ..claims import Claim, Evidence
from ..world import World


class Workload(Protocol):
    """An application's part of the demonstration."""

    data: str
    """What it works on, and where that comes from."""
    dead: int
    """Dead letters that it means to leave."""

    async def work(self) -> None:
        """Enqueue all jobs and wait until each has ended. Raises DemoFailed."""

    def claims(self, evidence: Evidence) -> Iterator[Claim]:
        """The claims about it, also those that do not hold."""

    def figures(self) -> Mapping[str, str]:
        """What else is worth a line, by name."""


def app_names() -> list[str]:
    """The applications that the demonstration can show."""
    packages = [package.name for package in pkgutil.iter_modules(apps.__path__) if package.ispkg]
    return [name for name in packages if importlib.util.find_spec(f"{__name__}.{name}")]


def workload(app: str, world: World) -> Workload:
    """The workload of an application."""
    made: Workload = importlib.import_module(f"{__name__}.{app}").Demonstration(world)
    return made
