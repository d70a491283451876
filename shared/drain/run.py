"""A decoded claim on its way to an outcome."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from pydantic_core import to_json

from ..declare.handler import package_of
from ..declare.payload import check_size
from ..declare.policy import Retry
from ..declare.queue import JobType, Queue
from ..errors import InvalidPayload
from ..jobs.body import Body, decode_body, decode_foreign
from ..jobs.claim import Claim
from ..jobs.context import JobContext
from ..jobs.ends import DecidedEnd, read_end
from ..jobs.follow_ups import CALLBACK
from ..jobs.history import number, read_history
from ..jobs.outcome import Outcome

RECHECK = 900.0
"""Seconds after which a job that can't run here is tried again: a deploy may have brought its
handler, its model or its key."""
CancelReason = Literal["deadline", "shutdown", "operator", "timeout"]


class NotStarted(InvalidPayload):
    """The job can't be started here; it ends with this outcome."""

    def __init__(self, message: str, outcome: Outcome) -> None:
        super().__init__(message)
        self.outcome = outcome


class Cuts(NamedTuple):
    """How earlier starts of the job were cut off by the end of a function. `longest`: seconds of
    the longest. `windows`: how many whole windows in a row. `parks`: how often the job was parked
    for its length."""

    longest: float = 0.0
    windows: int = 0
    parks: int = 0


NO_CUTS = Cuts()


@dataclass(slots=True, eq=False)
class Run:
    """One run of a claimed job, from its decoded claim on; once started, it has a task.

    `job_type` is None if no handler is registered. `began`: its start (monotonic). `allowed`: the
    seconds that it got. `start_after`: seconds until the time of its token. `cancel_reason` says
    why the task is being cancelled. `thread`: the call of a plain `def` handler, which goes on
    after a cancellation. `error`: what made it fail, also where its record can't be read.
    """

    claim: Claim
    body: Body
    job_type: JobType[Any] | None
    timeout: float
    retry: Retry
    cancel_reason: CancelReason | None = None
    began: float = 0.0
    allowed: float = 0.0
    start_after: float = 0.0
    cuts: Cuts = NO_CUTS
    context: JobContext | None = None
    task: asyncio.Task[Any] | None = None
    thread: asyncio.Future[Any] | None = None
    error: BaseException | None = None

    @property
    def encrypted(self) -> bool:
        """True if none of its own texts may be stored or logged in plain."""
        return bool(self.body.encryption)

    @property
    def package(self) -> str:
        """The top-level package of its handler."""
        return package_of(self.job_type.handler) if self.job_type else ""

    @property
    def end(self) -> DecidedEnd | None:
        """How it ends, if that was decided before this claim: only follow-ups may be missing."""
        return read_end(self.claim.history) if self.claim.decided else None

    @property
    def is_known(self) -> bool:
        """True if its record can be read here, and its type has a handler: also what follows its
        end is known."""
        return self.error is None and self.job_type is not None

    @property
    def needs_thread(self) -> bool:
        """True for a plain `def` handler that is to be called."""
        return self.job_type is not None and self.job_type.needs_thread and self.end is None

    @property
    def is_isolated(self) -> bool:
        """True if its handler runs in a child process."""
        if self.job_type is None or self.claim.crashed or self.end is not None:
            return False
        return self.claim.isolated or self.job_type.isolate is not None

    @property
    def thread_runs(self) -> bool:
        """True while its handler runs in a thread, cancelled or not."""
        return self.thread is not None and not self.thread.done()

    def cancel(self, reason: CancelReason) -> None:
        """Cancel the task, once, for this reason. A timeout that the budget shortened is the
        deadline: whichever timer fires first, the job was cut off."""
        if self.task is not None and self.cancel_reason is None:
            cut = reason == "timeout" and self.allowed < self.timeout
            self.cancel_reason = "deadline" if cut else reason
            self.task.cancel()


def decode_claim(claim: Claim, queue: Queue) -> Run:
    """Read a claim's body. One that makes no sense has an `error` and reaches no handler."""
    try:
        body = _read_foreign(queue, claim.body) if claim.foreign else decode_body(claim.body)
        job_type = _job_type(queue, body.type, foreign=claim.foreign)
        policy = job_type or queue
        timeout, retry = policy.timeout, policy.retry
        if body.overrides:
            timeout = float(body.overrides.get("timeout", timeout))
            retry = retry.with_overrides(body.overrides)
    except BaseException as error:  # noqa: BLE001 - a producer may have written anything, a policy may exit
        message = f"the record can't be read: {error}"
        nothing = Body("", {}, "")
        return Run(claim, nothing, None, queue.timeout, queue.retry, error=InvalidPayload(message))
    run = Run(claim, body, job_type, timeout, retry)
    if claim.history and ('"cut_after"' in claim.history or '"parks"' in claim.history):
        history = read_history(claim.history)
        windows, parks = number(history, "cuts"), number(history, "parks")
        run.cuts = Cuts(number(history, "cut_after"), int(windows), int(parks))
    return run


def _job_type(queue: Queue, name: str, *, foreign: bool) -> JobType[Any] | None:
    """The job type of a body. A foreign one has neither callbacks nor handlers of ends: it could
    have us sign, or believe, what never was."""
    job_type = queue.types.get(name)
    if foreign:
        return None if job_type is None or job_type.follows else job_type
    if job_type is None and name == CALLBACK:
        from ..callbacks.job import callback_type  # noqa: PLC0415 - cold start: few jobs have one

        return callback_type(queue)
    return job_type


def _read_foreign(queue: Queue, record: str | bytes) -> Body:
    """The body of an inbox record: payload limit and options as for every other producer."""
    name, value, options = decode_foreign(record)
    text = to_json(value).decode()
    check_size(queue, text)
    job_type = _job_type(queue, name, foreign=True)
    if not options or job_type is None:
        return Body(name, {}, text)
    from ..declare.inbox import inbox_overrides  # noqa: PLC0415 - few producers give options

    return Body(name, inbox_overrides(job_type, options), text)
