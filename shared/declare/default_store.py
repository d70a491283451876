"""The default store of `job_type.enqueue(…)`. Declarations hold no store; a deployment registers
its own here, and without one the environment decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..errors import ConfigurationError
from ..jobs.job import Enqueued, Job


class Enqueuer(Protocol):
    """The one verb that a declaration needs of a store."""

    async def enqueue(self, queue: Any, jobs: Sequence[Job]) -> list[Enqueued]:
        """Store jobs of one queue; one answer each, in order."""
        ...


class _Default:
    """The provider in use."""

    provider: Callable[[], Enqueuer] | None = None


def set_default_store(provider: Callable[[], Enqueuer]) -> None:
    """From now on `provider` answers the default store of the running event loop."""
    _Default.provider = provider


def default_store() -> Enqueuer:
    """The default store of the running event loop. Raises ConfigurationError when there is none."""
    if _Default.provider is None:
        raise ConfigurationError("no store is connected; import the package `shared` first")
    return _Default.provider()
