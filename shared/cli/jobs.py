"""`tidegate jobs`: show or cancel one job."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .command import command
from .context import open_deployment
from .exit_codes import Exit
from .options import Json
from .output import as_json, fields, table

app = typer.Typer(no_args_is_help=True, help="Show a job, or cancel it.")
JobId = Annotated[str, typer.Argument(metavar="ID", help="A job's id, as enqueue answered it.")]
CANCEL_ANSWERS = {
    "cancelled": "cancelled",
    "cancel_requested": "the job is running; its cancellation is requested",
}


@app.command()
@command
async def show(job_id: JobId, json: Json = False) -> Exit:
    """Show one job: its state, attempts, errors, progress and result."""
    from ..observe.describe import describe_job, describe_payload

    async with open_deployment() as deployment:
        view = await deployment.store.inspect(*deployment.locate(job_id))
    job = describe_job(view)
    if json:
        as_json(job)
    else:
        show_record({**job, **describe_payload(view), "options": view.overrides})
    return Exit.OK


@app.command()
@command
async def cancel(job_id: JobId, json: Json = False) -> Exit:
    """Cancel a job: at once while it waits, cooperatively while it runs."""
    async with open_deployment() as deployment:
        queue, local_id = deployment.locate(job_id)
        state = await deployment.store.cancel(queue, local_id)
    if json:
        as_json({"id": job_id, "state": state})
    else:
        print(CANCEL_ANSWERS.get(state, f"the job has ended already: {state}"))
    return Exit.OK if state in CANCEL_ANSWERS else Exit.FAILED


def show_record(record: dict[str, Any]) -> None:
    """Print a described job or dead letter: its fields, then its errors as a table."""
    rest = {name: value for name, value in record.items() if name not in ("error", "errors")}
    explanation = rest.pop("explanation", None)
    fields({**rest, "explanation": explanation and explanation["detail"]})
    errors = record["errors"]
    if errors:
        print()
        rows = [[e["attempt"], e["at"], e["type"], e["message"]] for e in errors]
        table(("attempt", "at", "error", "message"), rows)
