"""Tidegate: background jobs for serverless Python. The names that an application needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .declare.app import App
from .declare.default_store import JobStore, set_default_archive, set_default_store
from .declare.handle import JobHandle
from .declare.policy import Isolation, KeyLimit, Overrides, RateLimit, Retention, Retry
from .declare.queue import Queue
from .errors import Cancel, ConfigurationError, Discard, RetryLater, Snooze, TidegateError
from .jobs.context import JobContext
from .jobs.failure import JobFailure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .cache import Cache
    from .declare.ends import Completed, Dead

__all__ = [
    "App",
    "Cache",
    "Cancel",
    "Completed",
    "ConfigurationError",
    "Dead",
    "Discard",
    "Isolation",
    "JobContext",
    "JobFailure",
    "JobHandle",
    "KeyLimit",
    "Overrides",
    "Queue",
    "RateLimit",
    "Retention",
    "Retry",
    "RetryLater",
    "Snooze",
    "TidegateError",
]


def _from_environment() -> JobStore:
    from .deployment import environment_stores  # noqa: PLC0415 - declaring jobs needs no store

    return environment_stores().get()


async def _erase_rows(key: str, queues: Sequence[str] | None, dry_run: bool) -> int:  # noqa: FBT001
    from .config.settings import Settings  # noqa: PLC0415 - as above
    from .connect import erase_rows  # noqa: PLC0415 - as above

    return await erase_rows(Settings.from_env(), key, queues, dry_run)


set_default_store(_from_environment)
set_default_archive(_erase_rows)


if not TYPE_CHECKING:  # else a type checker would take every name for one of these

    def __getattr__(name: str) -> object:
        if name == "Cache":
            from .cache import Cache  # noqa: PLC0415 - most functions have no cache

            return Cache
        if name in ("Completed", "Dead"):
            from .declare import ends  # noqa: PLC0415 - models: most applications need none

            return getattr(ends, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
