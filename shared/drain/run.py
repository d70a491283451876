"""A decoded claim on its way to an outcome."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

from ..declare.policy import Retry
from ..declare.queue import JobType, Queue
from ..jobs.body import decode_body, decode_foreign
from ..jobs.claim import Claim
from ..jobs.context import JobContext

CancelReason = Literal["deadline", "operator", "timeout"]


@dataclass(slots=True, eq=False)
class Run:
    """A decoded claim and, once started, its task. `job_type` is None if no handler is registered;
    `cancel_reason` says why the task is being cancelled; `allowed` is the seconds that it got."""

    claim: Claim
    type: str
    job_type: JobType[Any] | None
    payload: str | bytes
    timeout: float
    retry: Retry
    decode_error: str | None = None
    cancel_reason: CancelReason | None = None
    allowed: float = 0.0
    context: JobContext | None = None
    task: asyncio.Task[Any] | None = None

    def cancel(self, reason: CancelReason) -> None:
        """Cancel the task, once, for this reason."""
        if self.task is not None and self.cancel_reason is None:
            self.cancel_reason = reason
            self.task.cancel()


def decode_claim(claim: Claim, queue: Queue) -> Run:
    """Read a claim's body. One that makes no sense has a `decode_error` and reaches no handler."""
    try:
        body = decode_foreign(claim.body) if claim.foreign else decode_body(claim.body)
        job_type = queue.types.get(body.type)
        policy = job_type or queue
        timeout = float(body.overrides.get("timeout", policy.timeout))
        retry = policy.retry.with_overrides(body.overrides)
    except Exception as error:  # noqa: BLE001 - a producer may have written anything
        message = f"the record can't be read: {error}"
        return Run(claim, "", None, "", queue.timeout, queue.retry, decode_error=message)
    return Run(claim, body.type, job_type, body.payload, timeout, retry)
