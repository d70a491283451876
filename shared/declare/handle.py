"""A handle on one stored job: its state, its result, and what an operator may do with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import NameTaken, NoResult
from ..jobs.ids import local_id
from ..jobs.job import EnqueueAnswer
from .default_store import JobStore, default_store
from .sync import run_blocking, run_in_drain

if TYPE_CHECKING:
    from ..store.views import JobView
    from .queue import Queue

T = TypeVar("T")
ENDED = ("completed", "dead", "cancelled")
FIRST_PAUSE, PAUSE_GROWTH, LONGEST_PAUSE = 0.5, 1.5, 10.0
"""Seconds between two looks of a wait."""
WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class JobHandle:
    """One stored job. `state` and `duplicate` are what its enqueue answered, `state` None where
    the handle was made of an id.

    Every method is a request to the store. Each has a twin with `_sync` for code without an event
    loop, which blocks. All raise JobNotFound once the job's retention has ended, and StoreError.
    """

    id: str
    queue: Queue = field(repr=False)
    state: str | None = None
    duplicate: bool = False

    @classmethod
    def of(cls, queue: Queue, answer: EnqueueAnswer) -> JobHandle:
        """The handle of an answered job."""
        return cls(answer.id, queue, answer.state, answer.duplicate)

    async def status(self) -> JobView:
        """The job as it stands: state, attempts, errors, progress, result. One request, at most 6
        billed commands."""
        return await self._ask(
            lambda store, job_id: store.inspect(self.queue, job_id, decrypt=True)
        )

    async def progress(self) -> float | None:
        """The last progress that its handler reported, 0 to 100; None before the first."""
        return (await self.status()).progress

    async def wait(self, timeout: float = WAIT_SECONDS) -> JobView:
        """The job as it ended: completed, dead or cancelled. Raises TimeoutError where it has not
        within `timeout` seconds; the job goes on.

        It reads at once, then after 0.5 s, and each time 1.5 times as long as before, at most 10 s:
        14 requests in the first minute, 6 in each later one, of at most 6 billed commands each.

        Not for handlers: a job that a handler enqueues mostly starts once it has ended. Use `then`.
        """
        return await self._ask(lambda store, job_id: self._wait(store, job_id, timeout))

    async def result(self, timeout: float = WAIT_SECONDS) -> Any:
        """The handler's return value as JSON has it, once the job is completed. It waits as `wait`
        does, at the same cost. Raises TimeoutError, and NoResult where there will be none."""
        return _result_of(await self.wait(timeout))

    async def cancel(self) -> str:
        """`cancelled`; `cancel_requested` where it runs: its handler stops where it next awaits;
        or the state in which it had ended."""
        return await self._ask(lambda store, job_id: store.cancel(self.queue, job_id))

    async def redrive(self) -> bool:
        """True if it was dead or parked and waits now, with all its attempts. Raises NameTaken."""
        return await self._ask(lambda store, job_id: redrive_one(store, self.queue, job_id))

    def status_sync(self) -> JobView:
        """`status`, blocking."""
        return run_blocking(self.status, "status")

    def progress_sync(self) -> float | None:
        """`progress`, blocking."""
        return run_blocking(self.progress, "progress")

    def wait_sync(self, timeout: float = WAIT_SECONDS) -> JobView:
        """`wait`, blocking."""
        return run_blocking(lambda: self.wait(timeout), "wait")

    def result_sync(self, timeout: float = WAIT_SECONDS) -> Any:
        """`result`, blocking."""
        return run_blocking(lambda: self.result(timeout), "result")

    def cancel_sync(self) -> str:
        """`cancel`, blocking."""
        return run_blocking(self.cancel, "cancel")

    def redrive_sync(self) -> bool:
        """`redrive`, blocking."""
        return run_blocking(self.redrive, "redrive")

    async def _ask(self, verb: Callable[[JobStore, str], Awaitable[T]]) -> T:
        async def ask() -> T:
            return await verb(default_store(), local_id(self.id))  # that of the loop it runs in

        return await run_in_drain(ask)

    async def _wait(self, store: JobStore, job_id: str, seconds: float) -> JobView:
        clock, pause = store.clock, FIRST_PAUSE
        end = clock.monotonic() + seconds
        while True:
            view = await store.inspect(self.queue, job_id, decrypt=True)
            left = end - clock.monotonic()
            if view.state in ENDED:
                return view
            if not left > 0:  # NaN too
                raise TimeoutError(f"job {self.id} is {view.state} after {seconds:g} s")
            await clock.sleep(min(pause, left))
            pause = min(LONGEST_PAUSE, pause * PAUSE_GROWTH)


async def redrive_one(store: JobStore, queue: Queue, job_id: str) -> bool:
    """One dead letter back to work: True if it was dead or parked and waits now. Raises NameTaken,
    JobNotFound."""
    (redriven,) = await store.redrive(queue, [job_id])
    if not redriven and (view := await store.inspect(queue, job_id)).state == "dead":
        raise name_taken(view)
    return redriven


def name_taken(view: JobView) -> NameTaken:
    """The reason why a redrive left this job dead."""
    return NameTaken(
        f"job {view.id} stays dead: another job holds its deduplication name {view.dedup!r}; "
        "redrive it when that one has ended"
    )


def _result_of(view: JobView) -> Any:
    locked = view.encryption.locked if view.encryption and view.encryption.hides_history else None
    if view.state == "completed" and view.result_error is None and not locked:
        return view.result
    errors = view.errors
    last = f": {errors[-1].get('type')}: {errors[-1].get('message')}" if errors else ""
    why = view.result_error or locked or f"it is {view.state}{last}"
    failure = NoResult(f"job {view.id} has no result: {why}")
    failure.job = view
    raise failure
