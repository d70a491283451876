"""What a child process has through its parent: the store of enqueues, which is the cache's too.
Opened when a handler first uses it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..cache.default_client import CacheClient, environment_provider, set_default_client
from ..declare.default_store import set_default_archive, set_default_store
from ..isolate.channel import Channel
from ..isolate.frames import Message

if TYPE_CHECKING:
    from ..store import Store
    from .store import ParentRest


class Parent:
    """The drain at the other end of the channel. `start`: the message that it began with."""

    def __init__(self, channel: Channel, start: Message) -> None:
        self._channel, self._start = channel, start
        self._store: Store | None = None
        self._clients: Callable[[], CacheClient] | None = None

    def serve_caches(self) -> None:
        """Be the client of caches, unless the application then chooses another one."""
        set_default_client(self._cache_client)

    def serve_jobs(self) -> None:
        """Be the store of `job_type.enqueue(…)`."""
        set_default_store(self._get_store)
        set_default_archive(_erase_rows)

    def deliver(self, answer: Message) -> None:
        """Hand over an answer of the parent."""
        if self._store is not None:
            rest: ParentRest = self._store.rest  # type: ignore[assignment]  # see open_store
            rest.deliver(answer)

    def report_costs(self) -> None:
        """Tell what scripts have cost; the parent counts the commands themselves."""
        if self._store is not None and self._store.meter.by_verb:
            self._channel.send({"billed": self._store.meter.by_verb})
            self._store.meter.by_verb = {}

    def _get_store(self) -> Store:
        if self._store is None:
            from .store import open_store  # noqa: PLC0415 - most handlers enqueue nothing

            self._store = open_store(self._channel, self._start)
        return self._store

    def _cache_client(self) -> CacheClient:
        """A database of the cache's own has a client of its own; else it is the parent's store."""
        if self._clients is None:
            from ..config.settings import Settings  # noqa: PLC0415 - most handlers have no cache

            if Settings.from_env().cache_url is not None:
                self._clients = environment_provider()
            else:
                client = CacheClient(self._get_store().rest, self._start["prefix"])
                self._clients = lambda: client
        return self._clients()


async def _erase_rows(key: str, queues: Sequence[str] | None, dry_run: bool) -> int:  # noqa: FBT001
    from ..config.settings import Settings  # noqa: PLC0415 - most handlers erase nothing
    from ..connect import erase_rows  # noqa: PLC0415 - as above

    return await erase_rows(Settings.from_env(), key, queues, dry_run)
