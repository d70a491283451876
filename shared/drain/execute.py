"""Run one claimed job to an `Outcome`. Touches no store; whatever the handler does comes back as a
value."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import re
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from ..declare.queue import JobType
from ..errors import Crashed, InvalidPayload, Signal
from ..jobs.context import JobContext
from ..jobs.history import sanitize
from ..jobs.outcome import Outcome
from .bounds import bound, end_rows, misfit
from .budget import Budget
from .describe import is_a, leaves, traceback_of, type_name
from .outcome import outcome_of
from .run import RECHECK, NotStarted, Run
from .threads import call_contained
from .timeouts import Timeouts

LARGEST_RESULT = 64 * 1024
"""Bytes of JSON that are kept of a result."""
_UNKNOWN = re.compile(r"Unable to serialize unknown type: <class '(.+)'>")
_UNREADABLE = "it holds NaN or infinity or a number of thousands of digits, or is nested too deep"
_DONE = Outcome("done")


def execute(
    run: Run, budget: Budget, threads: Executor, timeouts: Timeouts
) -> Coroutine[Any, Any, Outcome]:
    """The job's outcome. Ends by its timeout or the budget, whichever comes first.

    A job that the budget cut off is released: no attempt is spent. A plain `def` handler can't be
    stopped: after its timeout this waits until its thread ends.
    """
    execution = _execute(run, budget, threads, timeouts)
    if "opentelemetry.trace" not in sys.modules:
        return execution
    from .tracing import traced  # noqa: PLC0415 - the application has loaded OpenTelemetry

    return traced(run, execution)


async def _execute(run: Run, budget: Budget, threads: Executor, timeouts: Timeouts) -> Outcome:
    payload = _payload(run)
    if isinstance(payload, Outcome):
        return end_rows(payload, run)
    job_type: JobType[Any] = run.job_type  # type: ignore[assignment]  # else it had no payload
    run.began, run.allowed = budget.clock.monotonic(), min(run.timeout, budget.handler_time())
    if job_type.shape.context is not None:
        run.context = JobContext(
            run.claim,
            run.body.type,
            budget_left=_countdown(budget, run.allowed),
            created_ms=run.body.created_ms,
            now_ms=budget.clock.epoch_ms,
        )
    if run.task is None:
        run.task = asyncio.current_task()
    timeouts.add(run, run.allowed)
    try:
        shape = job_type.shape
        if shape.is_async and shape.context is None:
            result = await job_type.handler(payload)
        elif shape.is_async:
            result = await shape.call(job_type.handler, payload, run.context)
        else:
            result = await _call_in_thread(run, job_type, payload, threads)
        return _DONE if result is None else _outcome_of_result(result)
    except BaseException as error:  # noqa: BLE001 - the one place where exceptions become outcomes
        outcome = _outcome_of_failure(run, error)
    finally:
        timeouts.remove(run)
    return bound(outcome, run, budget.window, budget.clock.epoch_ms())


def _payload(run: Run) -> Any:
    """The payload as its model reads it, or the outcome of a job that can't be started."""
    if isinstance(run.error, NotStarted):
        return run.error.outcome
    if run.claim.crashed and (run.job_type is not None or run.error is not None):
        return _outcome_of_crashes(run)
    if run.error is not None:
        return _invalid(run, "InvalidRecord", str(run.error))
    if run.job_type is None:
        detail = {"parked": f"no handler for type {run.body.type!r} on queue {run.claim.queue!r}"}
        return Outcome("park", RECHECK, detail, started=False)
    try:
        return run.job_type.model.model_validate_json(run.body.payload)
    except ValidationError as error:
        summary = f"the payload does not fit {run.job_type.model.__name__}"
        message = sanitize(f"{summary}: {_fields(error)}")
        run.error = InvalidPayload(message)
        return misfit(run, message, summary if run.encrypted else message)
    except BaseException as error:  # noqa: BLE001 - a validator of the application may do anything
        return _outcome_of(run, error)._replace(started=False)


def _outcome_of_crashes(run: Run) -> Outcome:
    """The death of a job whose functions died, each time it ran by itself."""
    message = f"the functions that ran it died {run.claim.crashes} times, with no other job in them"
    run.error = Crashed(message)
    error = {"type": "Crashed", "message": message}
    return Outcome("dead", detail={"error": error}, started=False)


def _outcome_of_result(result: Any) -> Outcome:
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise TypeError("the handler returned a generator, so its body did not run")
    return Outcome("done", detail=_result(result))


def _outcome_of_failure(run: Run, error: BaseException) -> Outcome:
    if run.cancel_reason is not None and not any(is_a(one, Signal) for one in leaves(error)):
        return outcome_of_cancelled(run, error)  # it fails because we cancelled it
    return _outcome_of(run, error)


def outcome_of_cancelled(
    run: Run, error: BaseException | None = None, *, killed: bool = False
) -> Outcome:
    """The outcome of a job that we cancelled ourselves, whether it obeyed (with an error that tells
    where it was) or not. `killed`: its process had to be killed."""
    if run.cancel_reason == "operator":
        return Outcome("cancelled")
    if run.cancel_reason != "timeout" or run.allowed < run.timeout:
        return Outcome("release")
    ran_on = "; its thread can't be stopped and ran on" if run.thread is not None else ""
    what = "killed at its timeout of" if killed else "not done after"
    late = TimeoutError(f"{what} {run.timeout:g} s{ran_on}")
    return _outcome_of(run, late.with_traceback(traceback_of(error) if error else None))


def _outcome_of(run: Run, error: BaseException) -> Outcome:
    run.error = error
    return outcome_of(error, attempt=run.claim.attempt, retry=run.retry, own=run.package)


def _countdown(budget: Budget, allowed: float) -> Callable[[], float]:
    monotonic = budget.clock.monotonic
    end = monotonic() + allowed
    return lambda: max(0.0, end - monotonic())


def _invalid(run: Run, error_type: str, message: str) -> Outcome:
    run.error = InvalidPayload(message)
    detail = {"error": {"type": error_type, "message": sanitize(message)}}
    return Outcome("dead", detail=detail, started=False)


def _fields(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, e['loc'])) or 'payload'}: {e['msg']}" for e in error.errors()[:5]
    )


async def _call_in_thread(run: Run, job_type: JobType[Any], payload: Any, threads: Executor) -> Any:
    call = contextvars.copy_context().run
    thread = run.thread = asyncio.get_running_loop().run_in_executor(
        threads, call, call_contained, job_type.shape.call, job_type.handler, payload, run.context
    )
    try:
        ok, value = await asyncio.shield(thread)
    except asyncio.CancelledError:
        if run.cancel_reason in ("timeout", "operator"):
            await asyncio.wait({thread})  # its slot and its lease are taken until it ends
        raise
    if not ok:
        raise value
    return await value if inspect.isawaitable(value) else value


def _result(result: Any) -> dict[str, Any]:
    """The result as JSON. If it can't be stored, `result_error` says why; the job is still done."""
    try:
        text = to_json(result)
        if len(text) > LARGEST_RESULT:
            return {"result_error": f"the result has {len(text)} bytes; {LARGEST_RESULT} are kept"}
        value = from_json(text, allow_inf_nan=False)
        if to_json(value) != text:
            return {"result_error": "the result is not JSON: two of its names become one"}
        if len(text) > sys.get_int_max_str_digits() > 0:
            json.dumps(value)  # as the history is written: Python writes no longer number
    except BaseException as error:  # noqa: BLE001 - any serializer may fail in any way
        why = _UNREADABLE if type(error) is ValueError else _unserializable(error)
        return {"result_error": f"the result is not JSON: {why}"}
    return {"result": value}


def _unserializable(error: BaseException) -> str:
    """What keeps a result from being JSON: the type of the value, where pydantic names it, else the
    error's own type. Nothing of a value: it may be a secret."""
    if type(error) is PydanticSerializationError:
        found = _UNKNOWN.fullmatch(str(error))
        if found:
            return f"it holds a value of type {found[1]}"
    return type_name(error)
