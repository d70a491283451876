"""What a command works with: the settings, the applications and an open store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..queue import Queue, Registry
    from ..settings import Settings
    from ..store import Store


@dataclass(frozen=True, slots=True)
class Opened:
    """A command's surroundings."""

    settings: Settings
    registry: Registry
    store: Store

    def queues(self, names: Sequence[str] | None) -> list[Queue]:
        """The queues of these names, all when none is named. Raises UnknownQueue."""
        if not names:
            return self.registry.queues()
        return [self.registry.queue(name) for name in names]

    def locate(self, job_id: str) -> tuple[Queue, str]:
        """The queue of a public id and the id within it. Raises JobNotFound, UnknownQueue."""
        from ..errors import JobNotFound
        from ..job import split_id

        parts = split_id(job_id)
        if parts is None:
            raise JobNotFound(f"{job_id[:120]!r} is no job id; one looks like 01H….queue")
        return self.registry.queue(parts[1]), parts[0]


@asynccontextmanager
async def opened() -> AsyncIterator[Opened]:
    """Settings from the environment, applications loaded, store connected; closed at the end."""
    import logging

    from ..connect import connect, load_registry, use_store
    from ..settings import Settings

    settings = Settings.from_env()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    registry = load_registry(settings)
    store = connect(settings)
    use_store(store)
    try:
        yield Opened(settings, registry, store)
    finally:
        await store.close()
