"""GET and DELETE /api/v1/jobs/{id}: one job as it stands, and its end before its time."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from ..job import made_ms
from ..store.views import JobView
from .answers import Cancelled, JobAnswer, JobError, instant, respond
from .call import Call
from .problems import Kind, Problem
from .why import why

ENDED = Kind("job-ended", 409, "The job has ended")


async def show(call: Call) -> Response:
    """The job's state, progress, result and errors, and why it is not running."""
    queue, short = call.job()
    return respond(_answer(short, await call.site.store().inspect(queue, short)))


async def cancel(call: Call) -> Response:
    """200: it is cancelled. 202: it runs and was asked to stop. 409: it had ended otherwise."""
    queue, short = call.job()
    state = await call.site.store().cancel(queue, short)
    job_id = call.param("id")
    if state == "cancelled":
        return respond(Cancelled(id=job_id, state=state))
    if state == "cancel_requested":
        return respond(Cancelled(id=job_id, state="active"), 202)
    raise Problem(ENDED, f"It is {state} already; there is nothing to cancel.", state=state)


def errors_of(tail: dict[str, Any]) -> list[JobError]:
    """The attempts that failed, as far as they are kept, oldest first."""
    kept = tail.get("errors")
    found = [entry for entry in kept if isinstance(entry, dict)] if isinstance(kept, list) else []
    return [
        JobError(
            at=instant(_whole(entry.get("at"))),
            attempt=_whole(entry.get("attempt")),
            type=str(entry.get("type", "")),
            message=str(entry.get("message", "")),
            where=_text(entry.get("where")),
        )
        for entry in found
    ]


def _answer(short: str, view: JobView) -> JobAnswer:
    tail, state, errors = view.tail, view.state, errors_of(view.tail)
    progress = tail.get("progress")
    return JobAnswer(
        id=view.id,
        queue=view.queue.name,
        type=view.type or None,
        state=state,
        priority=view.priority,
        key=view.key,
        attempts=view.attempts,
        crashes=view.crashes,
        redrives=view.redrives,
        progress=progress if isinstance(progress, int | float) else None,
        note=_text(tail.get("note")),
        created_at=instant(made_ms(short)),
        due_at=instant(view.at_ms) if state in ("delayed", "parked") else None,
        lease_until=instant(view.at_ms) if state == "active" else None,
        ended_at=instant(view.at_ms) if state in ("completed", "cancelled", "dead") else None,
        stopping=view.stopping,
        result=tail.get("result"),
        result_error=_text(tail.get("result_error")),
        error=errors[-1] if errors else None,
        errors=errors,
        why=why(view),
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
