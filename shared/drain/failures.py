"""The report of each failed attempt of a queue: one log record with the traceback, and a call of
the application's own hooks. A hook may fail or hang; its job is settled all the same. Beside it, a
record of jobs that are parked: they wait for what only an operator can bring."""

from __future__ import annotations

import asyncio
import inspect
import logging
from concurrent.futures import Executor

from ..declare.queue import Queue
from ..jobs.claim import Claim
from ..jobs.failure import FailureHook, JobFailure
from ..jobs.outcome import Outcome
from ..jobs.stack import without_ours
from .budget import Budget
from .describe import traceback_of, type_name
from .outcome import outcome_of_bug
from .run import Run
from .threads import call_contained

log = logging.getLogger("tidegate.job")

MOST_PARKED_TYPES, LONGEST_OF_PARKED = 20, 200
"""Types of which a drain logs a parked job, and characters of a type and of a reason."""
HOOK_SECONDS = 5.0
"""Seconds that the hooks of one failure may take together, while the function has time."""


class Failures:
    """The failures of one queue's jobs. Hooks that are plain functions run in `threads`."""

    def __init__(self, queue: Queue, budget: Budget, threads: Executor) -> None:
        self._queue, self._budget, self._threads = queue, budget, threads
        self._parked = set[str]()

    async def report(self, run: Run, outcome: Outcome) -> None:
        """Log the failure and call the hooks. Raises nothing; ends early if cancelled."""
        self.log(run, outcome)
        hooks = self._queue.failure_hooks
        if not hooks or run.error is None:
            return
        failure = self._failure(run, outcome)
        calls = {asyncio.ensure_future(self._call(hook, run, failure)) for hook in hooks}
        seconds = min(HOOK_SECONDS, self._budget.handler_time())
        try:
            _, late = await asyncio.wait(calls, timeout=seconds)
        except asyncio.CancelledError:
            late = {call for call in calls if not call.done()}
        for call in late:
            call.cancel()
            log.warning("failure_hook_late", extra={**_job(failure), "seconds": HOOK_SECONDS})

    def log(self, run: Run, outcome: Outcome) -> None:
        """Log the failure, once."""
        error, failure = run.error, self._failure(run, outcome)
        level = logging.ERROR if failure.dead else logging.WARNING
        wait = failure.retry_in
        facts = {
            **_job(failure),
            "outcome": outcome.kind,
            "retry_in": None if wait is None else round(wait, 1),
        }
        described = outcome.detail.get("error") or {}
        if run.encrypted:  # neither its text nor its causes: they may quote the payload
            facts |= {"error": described.get("type"), "stack": described.get("stack")}
            error = None
        else:
            facts["error"] = f"{described.get('type')}: {described.get('message')}"
        try:
            trace = error and (type(error), error, without_ours(traceback_of(error)))
            log.log(level, "job_failed", exc_info=trace, extra=facts)
        except BaseException:  # noqa: BLE001 - formatting calls methods of the error, which may do anything
            log.log(level, "job_failed", extra=facts)

    def log_parked(self, run: Run, outcome: Outcome) -> None:
        """Log the first job that this drain parks of each type: the others wait for the same. Not
        of more types than MOST_PARKED_TYPES: a foreign producer may write any."""
        if run.body.type in self._parked or len(self._parked) == MOST_PARKED_TYPES:
            return
        self._parked.add(run.body.type)
        log.warning("job_parked", extra={
            "queue": run.claim.queue, "job_id": run.claim.public_id,
            "type": run.body.type[:LONGEST_OF_PARKED], "retry_in": round(outcome.delay, 1),
            "reason": str(outcome.detail.get("parked"))[:LONGEST_OF_PARKED],
        })  # fmt: skip

    async def _call(self, hook: FailureHook, run: Run, failure: JobFailure) -> None:
        error: BaseException = run.error  # type: ignore[assignment]  # else there was no failure
        try:
            if inspect.iscoroutinefunction(hook):
                await hook(error, failure)
                return
            loop = asyncio.get_running_loop()
            ok, value = await loop.run_in_executor(
                self._threads, call_contained, hook, error, failure
            )
            if not ok:
                raise value
            if inspect.isawaitable(value):
                await value
        except asyncio.CancelledError:
            raise
        except BaseException as bug:
            facts = {**_job(failure), "error": type_name(bug)}
            log.exception("failure_hook_failed", exc_info=not run.encrypted, extra=facts)

    def _failure(self, run: Run, outcome: Outcome) -> JobFailure:
        claim = run.claim
        return JobFailure(
            id=claim.public_id,
            app=self._queue.app,
            queue=claim.queue,
            type=run.body.type,
            key=None if claim.key == "-" else claim.key,
            attempt=claim.attempt,
            attempts=run.retry.attempts,
            retry_in=None if outcome.kind == "dead" else outcome.delay,
        )


def log_bug(claim: Claim, bug: BaseException, *, encrypted: bool = False) -> Outcome:
    """Log a bug that a job met, ours or of its retry policy, without its text where the job is
    `encrypted`. Answers the outcome that ends this job and no other."""
    job_id = claim.public_id
    facts = {"queue": claim.queue, "job_id": job_id, "error": type_name(bug)}
    log.error("job_bug", exc_info=None if encrypted else bug, extra=facts)
    return outcome_of_bug(bug, claim.attempt)


def is_failure(outcome: Outcome) -> bool:
    """True for an attempt that failed: the job is tried again, or dead."""
    return outcome.kind in ("retry", "dead")


def _job(failure: JobFailure) -> dict[str, object]:
    return {
        "queue": failure.queue,
        "job_id": failure.id,
        "type": failure.type,
        "attempt": failure.attempt,
    }
