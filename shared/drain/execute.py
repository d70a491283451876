"""Run one claimed job to an `Outcome`. Touches no store; whatever the handler does comes back as a
value."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from ..declare.queue import JobType
from ..errors import InvalidPayload, Signal
from ..jobs.context import JobContext
from ..jobs.outcome import Outcome
from .budget import Budget
from .outcome import UNKNOWN_TYPE_RECHECK, outcome_of
from .run import Run
from .timeouts import Timeouts

LARGEST_RESULT = 64 * 1024
"""Bytes of JSON that are kept of a result."""
_DONE = Outcome("done")


async def execute(run: Run, budget: Budget, threads: Executor, timeouts: Timeouts) -> Outcome:
    """The job's outcome. Ends by its timeout or the budget, whichever comes first.

    A job that the budget cut off is released: no attempt is spent.
    """
    job_type = run.job_type
    if run.decode_error is not None:
        error = {"type": "InvalidRecord", "message": run.decode_error}
        return Outcome("dead", detail={"error": error})
    if job_type is None:
        detail = {"parked": f"no handler for type {run.type!r} on queue {run.claim.queue!r}"}
        return Outcome("park", UNKNOWN_TYPE_RECHECK, detail)
    allowed = run.allowed = min(run.timeout, budget.handler_time())
    if job_type.takes_context:
        run.context = JobContext(run.claim, run.type, budget_left=_countdown(budget, allowed))
    if run.task is None:
        run.task = asyncio.current_task()
    timeouts.add(run, allowed)
    try:
        result = await _call(run, job_type, threads)
        return _DONE if result is None else Outcome("done", detail=_result(result))
    except BaseException as error:  # noqa: BLE001 - the one place where exceptions become outcomes
        if run.cancel_reason is not None and not isinstance(error, Signal):
            return outcome_of_cancelled(run)  # it fails because we cancelled it
        return outcome_of(error, attempt=run.claim.attempt, retry=run.retry)
    finally:
        timeouts.remove(run)


def outcome_of_cancelled(run: Run) -> Outcome:
    """The outcome of a job that we cancelled ourselves, whether it obeyed or not."""
    if run.cancel_reason == "operator":
        return Outcome("cancelled")
    if run.cancel_reason != "timeout" or run.allowed < run.timeout:
        return Outcome("release")
    error = TimeoutError(f"not done after {run.timeout:g} s")
    return outcome_of(error, attempt=run.claim.attempt, retry=run.retry)


async def _call(run: Run, job_type: JobType[Any], threads: Executor) -> Any:
    payload = _validate(job_type, run.payload)
    arguments = (payload,) if run.context is None else (payload, run.context)
    if job_type.is_async:
        return await job_type.handler(*arguments)
    return await _call_in_thread(job_type, arguments, threads)


def _countdown(budget: Budget, allowed: float) -> Callable[[], float]:
    monotonic = budget.clock.monotonic
    end = monotonic() + allowed
    return lambda: max(0.0, end - monotonic())


def _validate(job_type: JobType[Any], payload: str | bytes) -> Any:
    try:
        return job_type.model.model_validate_json(payload)
    except ValidationError as error:
        fields = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'payload'}: {e['msg']}" for e in error.errors()[:5]
        )
        raise InvalidPayload(
            f"the payload does not fit {job_type.model.__name__}: {fields}"
        ) from None


async def _call_in_thread(
    job_type: JobType[Any], arguments: tuple[Any, ...], threads: Executor
) -> Any:
    run = contextvars.copy_context().run
    ok, value = await asyncio.get_running_loop().run_in_executor(
        threads, run, _call_contained, job_type, arguments
    )
    if not ok:
        raise value
    return value


def _call_contained(job_type: JobType[Any], arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    """(True, result) or (False, error). A future can't carry every BaseException: StopIteration
    hangs it, SystemExit ends the loop."""
    try:
        return True, job_type.handler(*arguments)
    except BaseException as error:  # noqa: BLE001 - raised again by the caller, in the loop's thread
        return False, error


def _result(result: Any) -> dict[str, Any]:
    """The result as JSON. If it can't be stored, `result_error` says why; the job is still done."""
    try:
        text = to_json(result, inf_nan_mode="strings")
        value = from_json(text) if len(text) <= LARGEST_RESULT else None
    except Exception as error:  # noqa: BLE001 - any serializer may fail in any way
        return {"result_error": f"the result is not JSON: {type(error).__name__}"}
    if len(text) > LARGEST_RESULT:
        return {"result_error": f"the result has {len(text)} bytes; {LARGEST_RESULT} are kept"}
    return {"result": value}
