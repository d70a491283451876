"""`tidegate jobs`: one job, looked at or cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .context import open_deployment
from .exit_codes import Exit, command
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
    async with open_deployment() as deployment:
        view = await deployment.store.inspect(*deployment.locate(job_id))
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
    async with open_deployment() as deployment:
        queue, short = deployment.locate(job_id)
        state = await deployment.store.cancel(queue, short)
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
    "cancel_requested": "it is running; its cancellation is requested",
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
    from ..observe.describe import describe_job, describe_payload

    return {**describe_job(view), **describe_payload(view), "options": view.overrides}


def payload_of(payload: str | bytes) -> Any:
    """A payload as JSON where it is, as it stands where it is not."""
    import json

    try:
        return json.loads(payload)
    except ValueError:
        return payload
