"""`tidegate jobs`: list jobs by state, show or cancel one, erase those of a key."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .archived import naming_row
from .audited import audited
from .command import command
from .confirm import Yes, confirmed
from .context import open_deployment
from .exit_codes import Exit
from .options import Cursor, Decrypt, DryRun, Json, Most, Queues
from .output import as_json, as_written, fields, printable, table, written

if TYPE_CHECKING:
    from ..jobs.erase_report import EraseReport

app = typer.Typer(
    no_args_is_help=True, help="List jobs by state, show or cancel one, erase those of a key."
)
PAGE = 200
COLUMNS = ("id", "type", "state", "priority", "attempts", "crashes", "since or until")
State = Annotated[
    str,
    typer.Option(help="waiting, delayed, active, parked, completed, cancelled or dead."),
]
JobId = Annotated[str, typer.Argument(metavar="ID", help="A job's id, as enqueue answered it.")]
Key = Annotated[str, typer.Option("--key", help="The option key of the jobs.")]
RUN_TABLES = {
    "runs": ("attempt", "began", "ended", "outcome"),
    "log": ("at", "attempt", "line"),
}
"""Tables of a shown job, with their columns."""
VALUES = {"payload", "result"}
"""Fields of a shown job that hold the application's own values."""
CANCEL_ANSWERS = {
    "cancelled": "cancelled",
    "cancel_requested": "the job is running; its cancellation is requested",
}


@app.command("list")
@command
async def list_(
    queues: Queues = None,
    state: State = "waiting",
    most: Most = 50,
    cursor: Cursor = None,
    json: Json = False,
) -> Exit:
    """List the jobs in one state: waiting ones in the order in which they start, ended ones the
    newest first."""
    from ..observe.describe import describe_listed
    from ..observe.listing import JobPage, check_state, list_jobs

    wanted, result = check_state(state), JobPage(next=cursor)
    async with open_deployment() as deployment:
        selected = deployment.queues(queues or ())
        while len(result.rows) < most:
            left = min(PAGE, most - len(result.rows))
            page = await list_jobs(
                deployment.store, selected, wanted, cursor=result.next, most=left
            )
            result.rows += page.rows
            result.next = page.next
            if page.next is None:
                break
    rows = [describe_listed(row) for row in result.rows]
    if json:
        as_json({"jobs": rows, "next": result.next})
    elif rows:
        table(COLUMNS, [[row[name] for name in COLUMNS[:-1]] + [_instant(row)] for row in rows])
    else:
        print(f"no {wanted} jobs")
    return Exit.OK


def _instant(row: dict[str, Any]) -> object:
    """The instant that belongs to the state of a row."""
    names = ("waiting_since", "due_at", "lease_until", "ended_at")
    known = next((row[name] for name in names if row[name] is not None), None)
    return "its key has room" if known is None and row["state"] == "delayed" else known


@app.command()
@command
async def show(job_id: JobId, decrypt: Decrypt = False, json: Json = False) -> Exit:
    """Show one job: its state, attempts, errors, progress and result."""
    from ..observe.describe import describe_job, describe_payload

    async with open_deployment() as deployment:
        place = deployment.locate(job_id)
        async with naming_row(deployment, job_id):
            view = await deployment.store.inspect(*place, decrypt=decrypt)
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
        async with naming_row(deployment, job_id), audited(deployment, "jobs.cancel", job_id):
            state = await deployment.store.cancel(queue, local_id)
    if json:
        as_json({"id": job_id, "state": "active" if state == "cancel_requested" else state})
    else:
        print(CANCEL_ANSWERS.get(state, f"the job has ended already: {state}"))
    return Exit.OK if state in CANCEL_ANSWERS else Exit.FAILED


@app.command()
@command
async def erase(key: Key, dry_run: DryRun = False, yes: Yes = False, json: Json = False) -> Exit:
    """Delete all jobs that were enqueued with this option key, on all queues and in every state,
    and their rows of the archive, after a question.

    A running one is cancelled and reported; repeat this when it has ended. Reads every record, 200
    a request. Ends with exit code 1 while jobs are left.
    """
    from hashlib import sha256

    from ..declare.erase import erase as erase_jobs

    async with open_deployment() as deployment:
        action = f"delete all jobs with key {key!r} on all queues"
        if not (dry_run or confirmed(action, deployment.settings, yes=yes)):
            return Exit.FAILED
        about = f"key sha256:{sha256(key.encode()).hexdigest()[:12]}"  # it may name a person
        async with nullcontext() if dry_run else audited(deployment, "jobs.erase", about) as audit:
            queues = deployment.registry.queues()
            erased = await erase_jobs(queues, key, dry_run=dry_run, undeclared=True)
            if audit is not None:
                audit.count = erased.deleted + erased.rows
        rows = None if deployment.settings.archive_url is None else erased.rows
    _print_erased(erased, rows, dry_run=dry_run, json=json)
    return Exit.FAILED if erased.running else Exit.OK


def _print_erased(erased: EraseReport, rows: int | None, *, dry_run: bool, json: bool) -> None:
    if json:
        counts = {"deleted": erased.deleted, "rows": rows, "running": erased.running}
        as_json({**counts, "dry_run": dry_run})
        return
    done = f"{'would be ' if dry_run else ''}deleted"
    print(f"{erased.deleted:,} jobs {done}")
    if rows is not None:
        print(f"{rows:,} rows of the archive {done}")
    for job_id in erased.running:
        print(f"{job_id} is running; its cancellation is requested")


def show_record(record: dict[str, Any]) -> None:
    """Print a described job or dead letter: its fields, its errors as a table, and of the last one
    the application's own frames."""
    apart = ("error", "errors", "runs", "log", "explanation", "gates")
    rest = {name: value for name, value in record.items() if name not in apart}
    for name in VALUES.intersection(rest):
        rest[name] = as_written(rest[name])
    told = [_gate(gate) for gate in record.get("gates", [])]
    fields({**rest, "explanation": told[0] if told else None, "also": told[1:]})
    for name, columns in RUN_TABLES.items():
        if record.get(name):
            print()
            table(columns, [list(row.values()) for row in record[name]])
    errors = record["errors"]
    if errors:
        print()
        rows = [[e["attempt"], e["at"], e["type"], e["message"]] for e in errors]
        table(("attempt", "at", "error", "message"), rows)
        _show_error(errors[-1])


def _gate(gate: dict[str, Any]) -> str:
    """What keeps a job from running, and until when where that is known."""
    until = gate["until"]
    return f"{gate['detail']} (until {written(until)})" if until else str(gate["detail"])


def _show_error(error: dict[str, Any]) -> None:
    """Print the last error as Python does: what it was raised from comes first."""
    for one in [*reversed(error["causes"]), error, *error["others"]]:
        if one["stack"] or one["notes"]:
            print()
        for frame in one["stack"]:
            print(printable(f"  {frame}"))
        if one["stack"] or one["notes"]:
            print(printable("\n".join([f"{one['type']}: {one['message']}", *one["notes"]])))
