"""The default store of `job_type.enqueue(…)`, and the clock of what is declared. Declarations hold
no store; a deployment registers its own here, and without one the environment decides."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ..checks import check_type
from ..errors import ConfigurationError
from ..jobs.job import EnqueueAnswer, Job

if TYPE_CHECKING:
    from ..clock import Clock
    from ..jobs.erase_report import EraseReport
    from ..store.views import JobView


class JobStore(Protocol):
    """The verbs that a declaration and the handles of its jobs need of a store."""

    @property
    def clock(self) -> Clock:
        """The clock of this process."""
        ...

    async def enqueue(self, queue: Any, jobs: Sequence[Job]) -> list[EnqueueAnswer]:
        """Store jobs of one queue; one answer each, in order."""
        ...

    async def inspect(self, queue: Any, job_id: str, *, decrypt: bool = False) -> JobView:
        """One job as it stands, by its id within the queue, decrypted if wanted."""
        ...

    async def cancel(self, queue: Any, job_id: str) -> str:
        """End a job that waits, or ask one that runs to stop."""
        ...

    async def erase(self, queue: Any, key: str, *, dry_run: bool = False) -> EraseReport:
        """Delete all jobs of the queue with this option `key`."""
        ...

    async def redrive(self, queue: Any, job_ids: Sequence[str]) -> list[bool]:
        """Dead letters back to work."""
        ...


EraseRows: TypeAlias = Callable[[str, Sequence[str] | None, bool], Awaitable[int]]
"""Deletes the rows of the archive with this key, of the queues of these names or (None) of all, or
only counts them where the last is True; how many. 0 where there is no archive."""


async def _no_rows(_key: str, _queues: Sequence[str] | None, _dry_run: bool) -> int:  # noqa: FBT001
    return 0


class _Default:
    """The providers in use, and the clock by which options are judged."""

    clock: Clock | None = None
    provider: Callable[[], JobStore] | None = None
    erase_rows: EraseRows = staticmethod(_no_rows)


def set_default_store(provider: Callable[[], JobStore]) -> None:
    """From now on `provider` answers the default store of the running event loop, which has no
    archive. Raises ConfigurationError."""
    check_type(provider, Callable, "set_default_store: provider")
    _Default.provider, _Default.erase_rows = provider, _no_rows


def set_default_clock(clock: Clock | None) -> None:
    """From now on options are judged by this clock; None: by the machine's."""
    _Default.clock = clock


def present_ms() -> int:
    """Now, in milliseconds since 1970, for the options of jobs."""
    return _Default.clock.epoch_ms() if _Default.clock else time.time_ns() // 1_000_000


def set_default_archive(erase_rows: EraseRows) -> None:
    """The archive of the default store erases rows so."""
    _Default.erase_rows = erase_rows


def archived_rows() -> EraseRows:
    """How the rows of the default store's archive are erased."""
    return _Default.erase_rows


def default_store() -> JobStore:
    """The default store of the running event loop. Raises ConfigurationError when there is none."""
    if _Default.provider is None:
        raise ConfigurationError("no store is connected; import the package `tidegate` first")
    return _Default.provider()
