"""The client of caches that were made without one: of the environment, unless it is replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..checks import checked

if TYPE_CHECKING:
    from ..store.client.rest import Rest


class CacheClient(NamedTuple):
    """A client of the cache's database, and the prefix of its keys."""

    rest: Rest
    prefix: str = "tidegate"

    def monotonic(self) -> float:
        """Seconds of the client's clock."""
        return self.rest.clock.monotonic()


class _Default:
    """The provider in use."""

    provider: Callable[[], CacheClient] | None = None


@checked
def set_default_client(provider: Callable[[], CacheClient] | None) -> None:
    """From now on `provider` answers the client of the running event loop. None: the environment
    decides again."""
    _Default.provider = provider


def default_client() -> CacheClient:
    """The client of the running event loop. Raises ConfigurationError."""
    if _Default.provider is None:
        _Default.provider = environment_provider()
    return _Default.provider()


def environment_provider() -> Callable[[], CacheClient]:
    """Provides the clients that the environment describes. Raises ConfigurationError."""
    # Declaring a cache needs no client.
    from ..config.settings import Settings  # noqa: PLC0415
    from ..connect import connect_cache  # noqa: PLC0415
    from ..store.loops import PerLoop  # noqa: PLC0415

    settings = Settings.from_env()
    clients = PerLoop(lambda: connect_cache(settings))
    return lambda: CacheClient(clients.get(), settings.prefix)
