"""`tidegate jobs`: one job, looked at or cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .exits import Exit, command
from .opened import opened
from .options import Json
from .output import as_json, fields, instant, table

if TYPE_CHECKING:
    from ..store.views import JobView

app = typer.Typer(no_args_is_help=True, help="Look at a job, or cancel it.")
JobId = Annotated[str, typer.Argument(metavar="ID", help="A job's id, as enqueue answered it.")]
ERROR_COLUMNS = ("attempt", "at", "error", "message")


@app.command()
@command
async def show(job_id: JobId, json: Json = False) -> Exit:
    """Show where a job stands: its state, attempts, errors, progress and result."""
    async with opened() as here:
        view = await here.store.inspect(*here.locate(job_id))
    found = _described(view)
    if json:
        as_json(found)
        return Exit.OK
    errors = found.pop("errors")
    fields(found)
    if errors:
        print()
        table(ERROR_COLUMNS, error_rows(errors))
    return Exit.OK


@app.command()
@command
async def cancel(job_id: JobId, json: Json = False) -> Exit:
    """Cancel a job: at once while it waits, cooperatively while it runs."""
    async with opened() as here:
        queue, short = here.locate(job_id)
        state = await here.store.cancel(queue, short)
    if json:
        as_json({"id": job_id, "state": state})
        return Exit.OK if state in _CANCELLED else Exit.FAILED
    if state in _CANCELLED:
        print(_CANCELLED[state])
        return Exit.OK
    print(f"it has ended already: {state}")
    return Exit.FAILED


_CANCELLED = {
    "cancelled": "cancelled",
    "cancel_requested": "it is running; its function was asked to stop it",
}


def error_rows(errors: list[dict[str, Any]]) -> list[list[object]]:
    """A job's error history as rows of ERROR_COLUMNS, the last one last."""
    return [
        [
            error.get("attempt"),
            instant(error.get("at", 0)),
            error.get("type", ""),
            error.get("message", ""),
        ]
        for error in errors
    ]


def _described(view: JobView) -> dict[str, Any]:
    from ..web.why import why

    reason = why(view)
    tail = dict(view.tail)
    return {
        "id": view.id,
        "queue": view.queue.name,
        "type": view.type,
        "state": view.state,
        "priority": view.priority,
        "key": view.key,
        "attempts": view.attempts,
        "crashes": view.crashes,
        "redrives": view.redrives,
        _AT.get(view.state, "at"): instant(view.at_ms) if view.at_ms else None,
        "why": reason.detail if reason else None,
        "payload": payload_of(view.payload),
        "options": view.meta,
        "errors": tail.pop("errors", []),
        **tail,
    }


_AT = {
    "delayed": "due",
    "active": "lease_ends",
    "parked": "looked_at_again",
    "completed": "ended",
    "cancelled": "ended",
    "dead": "ended",
}


def payload_of(payload: str | bytes) -> Any:
    """A payload as JSON where it is, as it stands where it is not."""
    import json

    try:
        return json.loads(payload)
    except ValueError:
        return payload
