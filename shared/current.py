"""Which store `job_type.enqueue(…)` means: declarations know none, who has one says so here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from .errors import ConfigurationError
from .job import Enqueued, Job


class Enqueuer(Protocol):
    """The one verb that a declaration needs of a store."""

    async def enqueue(self, queue: Any, jobs: Sequence[Job]) -> list[Enqueued]:
        """Store jobs of one queue; one answer each, in order."""
        ...


_providers: list[Callable[[], Enqueuer]] = []


def provide(provider: Callable[[], Enqueuer]) -> None:
    """Ask `provider` from now on for the store of the running event loop."""
    _providers[:] = [provider]


def enqueuer() -> Enqueuer:
    """The store of the running event loop."""
    if not _providers:
        raise ConfigurationError("no store is connected; import the package `shared` first")
    return _providers[0]()
