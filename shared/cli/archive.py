"""`tidegate archive`: search, show and redrive the rows of dead letters in Postgres."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .audited import audited, first_of
from .command import command
from .confirm import Yes, confirmed
from .context import open_deployment
from .exit_codes import Exit
from .jobs import show_record
from .options import Cursor, Decrypt, Json, Most, Queues
from .output import as_json, note, table
from .pages import read_pages

if TYPE_CHECKING:
    from ..access.audit import Action
    from ..archive.archive import Archive, ArchivePage
    from ..archive.criteria import Criteria
    from ..archive.redrive import RedriveVerdict
    from ..archive.rows import ArchivedLetter
    from ..declare.queue import Queue
    from ..deployment import Deployment

COLUMNS = ("row", "id", "type", "died", "attempts", "redriven", "error", "message")
LONGEST_MESSAGE, MOST_REASONS = 160, 20
app = typer.Typer(no_args_is_help=True, help="The archive of dead letters: list, show, redrive.")
Rows = Annotated[list[int] | None, typer.Argument(metavar="[ROW]…", min=1, help="Numbers of rows.")]
JobType = Annotated[str | None, typer.Option("--type", help="Only this job type.")]
Error = Annotated[str | None, typer.Option("--error", help="Only with this text in the error.")]
Since = Annotated[str | None, typer.Option("--since", help="Died at this instant (ISO) or later.")]
Until = Annotated[str | None, typer.Option("--until", help="Died before this instant (ISO).")]
Payload = Annotated[
    str | None, typer.Option("--payload", help="JSON object: fields that the payload has too.")
]
Queue_ = Annotated[list[str] | None, typer.Option("--queue", help="Only of this queue.")]


@app.command("list")
@command
async def list_(
    queues: Queues = None,
    *,
    job_type: JobType = None,
    error: Error = None,
    since: Since = None,
    until: Until = None,
    payload: Payload = None,
    most: Most = 50,
    cursor: Cursor = None,
    json: Json = False,
) -> Exit:
    """List the rows that fit, the newest death first."""
    from ..archive.criteria import Criteria
    from ..observe.describe_archive import describe_letter

    criteria = Criteria(job_type, error, since, until, payload)
    async with open_deployment() as deployment, deployment.open_archive() as archive:
        chosen = deployment.queues(queues or ())
        read = _reader(archive, chosen, criteria)
        letters, following = await read_pages(read, most=most, cursor=cursor)
    rows = [describe_letter(letter, None) for letter in letters]
    if json:
        as_json({"rows": rows, "next": following})
    elif rows:
        table(COLUMNS, [_line(row) for row in rows])
    else:
        print("no rows")
    return Exit.OK


@app.command()
@command
async def show(
    row: Annotated[int, typer.Argument(metavar="ROW", min=1, help="Number of a row.")],
    decrypt: Decrypt = False,
    json: Json = False,
) -> Exit:
    """Show one row: the job's payload, and the errors that led there."""
    from ..observe.describe_archive import describe_letter, describe_letter_payload

    async with open_deployment() as deployment, deployment.open_archive() as archive:
        (letter,) = await archive.find(deployment.queues(), [row])
        keyring = deployment.store.keyring if decrypt else None
    shown = {**describe_letter(letter, keyring), **describe_letter_payload(letter, keyring)}
    if json:
        as_json(shown)
    else:
        show_record(shown)
    return Exit.OK


@app.command()
@command
async def redrive(
    rows: Rows = None,
    *,
    queues: Queue_ = None,
    job_type: JobType = None,
    error: Error = None,
    since: Since = None,
    until: Until = None,
    payload: Payload = None,
    yes: Yes = False,
    json: Json = False,
) -> Exit:
    """Make the jobs of rows again, once for each row: by number, or all that fit and were not
    redriven yet. More than one only after a question."""
    from ..archive.criteria import Criteria
    from ..archive.redrive import redrive as redrive_rows

    criteria = Criteria(job_type, error, since, until, payload, redriven=False)
    async with open_deployment() as deployment:
        # No connection is held while somebody thinks: hosted servers end those that are idle.
        async with deployment.open_archive() as archive:
            letters = await _choose(deployment, archive, rows, queues, criteria)
        action = f"make {len(letters):,} jobs again from rows of the archive"
        if not confirmed(action, deployment.settings, yes=yes or len(letters) < 2):
            return Exit.FAILED
        async with (
            deployment.open_archive() as archive,
            _audit_action(deployment, letters) as audit,
        ):
            verdicts = await redrive_rows(deployment.store, archive, letters)
            changed = sum(verdict.left is None for verdict in verdicts)
            audit.count = None if changed == len(letters) == 1 else changed
    return _print_verdicts(verdicts, json=json)


def _audit_action(
    deployment: Deployment, letters: list[ArchivedLetter]
) -> AbstractAsyncContextManager[Action]:
    """The audit's rows of a redrive; they name one row, or the first of many and their queues."""
    if len(letters) == 1:
        return audited(deployment, "archive.redrive", str(letters[0].row))
    names = sorted({letter.record.queue.name for letter in letters})
    rows = (letter.row for letter in letters)
    about = f"{len(letters):,} rows of queues {', '.join(names)}: {first_of(rows)}"
    return audited(deployment, "archive.redrive_many", about)


async def _choose(
    deployment: Deployment,
    archive: Archive,
    rows: list[int] | None,
    queues: list[str] | None,
    criteria: Criteria,
) -> list[ArchivedLetter]:
    """The rows that are meant. Raises InvalidOption unless either numbers or a filter are given."""
    from ..archive.criteria import Criteria
    from ..errors import InvalidOption

    has_filter = bool(queues) or criteria != Criteria(redriven=False)
    if bool(rows) == has_filter:
        raise InvalidOption("name rows by their numbers, or all that fit a filter", "row")
    if rows:
        return await archive.find(deployment.queues(), rows)
    letters, _ = await read_pages(_reader(archive, deployment.queues(queues or ()), criteria))
    return letters


def _reader(
    archive: Archive, queues: list[Queue], criteria: Criteria
) -> Callable[[str | None, int], Awaitable[ArchivePage]]:
    """What reads a page of the rows that fit, newest first."""
    return lambda cursor, most: archive.page(queues, criteria, cursor=cursor, most=most)


def _print_verdicts(verdicts: list[RedriveVerdict], *, json: bool) -> Exit:
    from ..observe.describe_archive import describe_verdict

    left = [verdict for verdict in verdicts if verdict.left is not None]
    count = len(verdicts) - len(left)
    for verdict in left[:MOST_REASONS]:
        row, job_id = verdict.letter.row, verdict.letter.record.id
        note(f"tidegate: row {row}, job {job_id}: {verdict.reason}")
    if len(left) > MOST_REASONS:
        note(f"… and {len(left) - MOST_REASONS:,} more were left as they are")
    if json:
        rows = [describe_verdict(verdict) for verdict in verdicts]
        as_json({"rows": rows, "redriven": count, "next": None})
    else:
        print(f"{count:,} redriven")
    return Exit.FAILED if left else Exit.OK


def _line(row: dict[str, Any]) -> list[object]:
    error = row["error"] or {"type": row["reason"], "message": ""}
    return [
        *(row["row"], row["id"], row["type"], row["died_at"], row["attempts"]),
        *(row["redriven_at"], error["type"], error["message"][:LONGEST_MESSAGE]),
    ]
