"""What the API works with, made by whoever serves it: settings, queues, a store, the time left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.requests import Request

from ..clock import Clock, SystemClock
from ..connect import current_store
from ..queue import Registry
from ..report import Report
from ..settings import Settings
from ..stopping import Stopping
from ..store import Store


def _unmeasured(_report: Report) -> None:
    """Reports are logged anyway; nothing else is done with them."""


async def _nothing_to_close() -> None:
    """The store belongs to somebody else."""


@dataclass(frozen=True, slots=True)
class Site:
    """One deployment as its API sees it."""

    settings: Settings
    registry: Registry
    store: Callable[[], Store] = current_store
    clock: Clock = field(default_factory=SystemClock)
    seconds_left: Callable[[Request], float] | None = None
    """Seconds until the platform ends this request; without it `settings.max_duration`."""
    measure: Callable[[Report], None] = _unmeasured
    close: Callable[[], Awaitable[None]] = _nothing_to_close
    stopping: Stopping = field(default_factory=Stopping)
