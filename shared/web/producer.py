"""The producer of one enqueue request: the jobs that it may make, the answers that it may read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..declare.parse import parse_job
from ..declare.queue import Queue
from ..jobs.job import EnqueueAnswer, Guard, Job
from .call import Call
from .problems import Problem


class Producer:
    """The caller of a request as the producer of jobs on one queue."""

    def __init__(self, call: Call, queue: Queue) -> None:
        self._store, self._queue, self._caller = call.deployment.store, queue, call.caller
        self._find_queue, self._trace = call.queue_of, _trace(call)

    def job(self, value: Any, guard: Guard | None) -> Job:
        """The job of a request. Its follow-ups reach no queue, type or key that the caller does not
        reach. Raises what `parse_job` does."""
        find, check = self._find_queue, self._caller.require_job
        job = parse_job(self._queue, value, guard, find_queue=find, check=check)
        return replace(job, by=self._caller.subject, trace=job.trace or self._trace)

    @property
    def is_scoped(self) -> bool:
        """True where jobs that it does not reach may stand for its own."""
        return self._caller.is_scoped

    async def unreached(self, answers: Iterable[EnqueueAnswer]) -> dict[str, Problem]:
        """By id the problem of each job that stands for one of the caller's, and that it does not
        reach: it learns nothing of that job."""
        if not self.is_scoped:
            return {}
        from .restricted import unreached  # noqa: PLC0415 - no other token pays for it

        return await unreached(self._store, self._queue, self._caller, answers)

    async def require_reached(self, answer: EnqueueAnswer) -> None:
        """Raises that problem of this one answer."""
        for problem in (await self.unreached([answer])).values():
            raise problem


def _trace(call: Call) -> str:
    """The `traceparent` that the producer sent, "" without one. Where OpenTelemetry is loaded here,
    the span of this request takes its place."""
    header = call.request.headers.get("traceparent")
    if header is None:
        return ""
    from ..jobs.trace import read_traceparent  # noqa: PLC0415 - few producers send one

    return read_traceparent(header)
