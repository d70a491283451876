"""Run one claimed job to an `Outcome`. Touches no store; whatever the handler does comes back as a
value."""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from .budget import Budget
from .errors import InvalidPayload, Signal
from .job import Claim, JobContext, Outcome
from .outcome import UNKNOWN_TYPE_RECHECK, outcome_of
from .policy import Retry
from .queue import JobType, Queue
from .timeouts import Timeouts

LARGEST_RESULT = 64 * 1024
_DONE = Outcome("done")


@dataclass(slots=True, eq=False)
class Work:
    """A claim understood: its type, its handler (None: not served here), its payload and its
    numbers; and once it is under way its task, and why that is being cancelled: "" (it is not),
    "deadline", "cancel" or "timeout"."""

    claim: Claim
    name: str
    job_type: JobType[Any] | None
    payload: str | bytes
    timeout: float
    retry: Retry
    problem: str = ""
    reason: str = ""
    allowed: float = 0.0
    context: JobContext | None = None
    task: asyncio.Task[Any] | None = None

    def stop(self, reason: str) -> None:
        """Cancel the job, once, for this reason."""
        if self.task is not None and not self.reason:
            self.reason = reason
            self.task.cancel()


def understand(claim: Claim, queue: Queue) -> Work:
    """Read a claim's body. One that makes no sense has a `problem` and reaches no handler."""
    try:
        name, meta, payload = _foreign(claim.body) if claim.foreign else _own(claim.body)
        job_type = queue.types.get(name)
        base = job_type.retry if job_type else queue.retry
        timeout = float(meta.get("timeout", job_type.timeout if job_type else queue.timeout))
        retry = _retry(meta, base)
    except Exception as error:  # noqa: BLE001 - who wrote the body may have written anything
        return Work(
            claim, "", None, "", queue.timeout, queue.retry, f"the record can't be read: {error}"
        )
    return Work(claim, name, job_type, payload, timeout, retry)


async def execute(work: Work, budget: Budget, threads: Executor, timeouts: Timeouts) -> Outcome:
    """The job's outcome. Ends by its timeout or the budget, whichever comes first.

    A job that the budget cut off is released: no attempt is burnt.
    """
    job_type = work.job_type
    if work.problem:
        return Outcome("dead", detail={"error": {"type": "InvalidRecord", "message": work.problem}})
    if job_type is None:
        detail = {"parked": f"no handler for type {work.name!r} on queue {work.claim.queue!r}"}
        return Outcome("park", UNKNOWN_TYPE_RECHECK, detail)
    allowed = work.allowed = min(work.timeout, budget.for_handlers())
    if job_type.takes_context:
        work.context = JobContext(work.claim, work.name, budget_left=_countdown(budget, allowed))
    if work.task is None:
        work.task = asyncio.current_task()
    timeouts.watch(work, allowed)
    try:
        payload = _validated(job_type, work.payload)
        arguments = (payload,) if work.context is None else (payload, work.context)
        if job_type.is_async:
            result = await job_type.handler(*arguments)
        else:
            result = await _in_thread(job_type, arguments, threads)
        return _DONE if result is None else Outcome("done", detail=_result(result))
    except BaseException as error:  # noqa: BLE001 - the one place where exceptions become outcomes
        if work.reason and not isinstance(error, Signal):  # it fails because we cancelled it
            return stopped(work)
        return outcome_of(error, attempt=work.claim.attempts + 1, retry=work.retry)
    finally:
        timeouts.release(work)


def stopped(work: Work) -> Outcome:
    """The outcome of a job that we cancelled ourselves, whether it obeyed or not."""
    if work.reason == "cancel":
        return Outcome("cancelled")
    if work.reason != "timeout" or work.allowed < work.timeout:
        return Outcome("release")
    error = TimeoutError(f"not done after {work.timeout:g} s")
    return outcome_of(error, attempt=work.claim.attempts + 1, retry=work.retry)


def _countdown(budget: Budget, allowed: float) -> Callable[[], float]:
    monotonic = budget.clock.monotonic
    end = monotonic() + allowed
    return lambda: max(0.0, end - monotonic())


def _validated(job_type: JobType[Any], payload: str | bytes) -> Any:
    try:
        return job_type.model.model_validate_json(payload)
    except ValidationError as error:
        fields = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'payload'}: {e['msg']}" for e in error.errors()[:5]
        )
        raise InvalidPayload(
            f"the payload does not fit {job_type.model.__name__}: {fields}"
        ) from None


async def _in_thread(job_type: JobType[Any], arguments: tuple[Any, ...], threads: Executor) -> Any:
    run = contextvars.copy_context().run
    ok, value = await asyncio.get_running_loop().run_in_executor(
        threads, run, _shielded, job_type, arguments
    )
    if not ok:
        raise value
    return value


def _shielded(job_type: JobType[Any], arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    """A future can't carry each BaseException: StopIteration hangs it, SystemExit ends the loop."""
    try:
        return True, job_type.handler(*arguments)
    except BaseException as error:  # noqa: BLE001 - raised again by the caller, in the loop's thread
        return False, error


def _result(result: Any) -> dict[str, Any]:
    """A result as data. The handler has succeeded: one that can't be kept must not undo that."""
    try:
        text = to_json(result, inf_nan_mode="strings")
        kept = from_json(text) if len(text) <= LARGEST_RESULT else None
    except Exception as error:  # noqa: BLE001 - any serializer may fail in any way
        return {"result_error": f"the result is not JSON: {type(error).__name__}"}
    if len(text) > LARGEST_RESULT:
        return {"result_error": f"the result has {len(text)} bytes; {LARGEST_RESULT} are kept"}
    return {"result": kept}


def _own(body: str | bytes) -> tuple[str, dict[str, Any], str]:
    if isinstance(body, bytes):
        raise ValueError("it is not UTF-8")  # noqa: TRY004 - bytes mean bad text, not a wrong type
    line, _newline, payload = body.partition("\n")
    name, meta = _meta(line)
    return name, meta, payload


@lru_cache(maxsize=256)
def _meta(line: str) -> tuple[str, dict[str, Any]]:
    """A body's first line; the jobs of one type share it, so it is parsed once."""
    meta = json.loads(line)
    return meta.pop("type"), meta


def _foreign(body: str | bytes) -> tuple[str, dict[str, Any], str]:
    """A record from the inbox: `{"type": …, "payload": …}` as some producer wrote it."""
    try:
        record = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise ValueError(f"it is not JSON ({error})") from None
    if (
        not isinstance(record, dict)
        or not isinstance(record.get("type"), str)
        or "payload" not in record
    ):
        raise ValueError('it needs "type" (a text) and "payload"')
    return record["type"], {}, to_json(record["payload"]).decode()


def _retry(meta: dict[str, Any], base: Retry) -> Retry:
    """The queue's policy with the job's own attempts and backoff."""
    if "backoff" not in meta and "attempts" not in meta:
        return base
    backoff = meta.get("backoff")
    if isinstance(backoff, list):
        policy = Retry.waits(backoff)
    elif isinstance(backoff, dict):
        policy = Retry(
            attempts=base.attempts,
            first=float(backoff["delay"]),
            factor=1.0 if backoff.get("type") == "fixed" else float(backoff.get("factor", 2.0)),
            cap=float(backoff.get("cap", 3600.0)),
            jitter=float(backoff.get("jitter", 0.0)),
        )
    else:
        policy = base
    attempts = int(meta.get("attempts", policy.attempts))
    return Retry(attempts, policy.first, policy.factor, policy.cap, policy.jitter, policy.steps)
