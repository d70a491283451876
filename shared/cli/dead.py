"""`tidegate dead`: list, show, redrive and delete dead letters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from .archived import naming_row, with_row
from .audited import audited, first_of
from .command import command
from .confirm import Yes, confirmed
from .context import open_deployment
from .exit_codes import Exit
from .jobs import JobId, show_record
from .options import Cursor, Decrypt, Json, Most, Queues
from .output import as_json, note, table
from .pages import read_pages

if TYPE_CHECKING:
    from ..access.audit import Action
    from ..deadletters.pages import DeadLetterPage, Filter
    from ..declare.queue import Queue
    from ..deployment import Deployment
    from ..store.views import JobRecord

COLUMNS = ("id", "type", "died", "attempts", "crashes", "redrives", "error", "message")
LONGEST_MESSAGE = 160
MOST_REASONS = 20
"""Jobs whose reason for a no is read and printed; the others are counted."""
app = typer.Typer(no_args_is_help=True, help="Dead letters: list, show, redrive, delete.")
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="Ids of dead letters.")]
WholeQueue = Annotated[str | None, typer.Option("--queue", help="All dead letters of this queue.")]
JobType = Annotated[str | None, typer.Option("--type", help="Only this job type.")]


@app.command("list")
@command
async def list_(
    queues: Queues = None,
    job_type: JobType = None,
    most: Most = 50,
    cursor: Cursor = None,
    json: Json = False,
) -> Exit:
    """List dead letters, the newest first."""
    from ..deadletters.pages import Filter
    from ..observe.describe import describe_dead_letter

    async with open_deployment() as deployment:
        selected = deployment.queues(queues or ())
        read = _reader(deployment, selected, Filter(type=job_type))
        rows, following = await read_pages(read, most=most, cursor=cursor)
    if json:
        letters = [describe_dead_letter(row) for row in rows]
        as_json({"dead_letters": letters, "next": following})
    elif rows:
        table(COLUMNS, [_line(row) for row in rows])
    else:
        print("no dead letters")
    return Exit.OK


@app.command()
@command
async def show(job_id: JobId, decrypt: Decrypt = False, json: Json = False) -> Exit:
    """Show one dead letter: its payload, and the errors that led there."""
    from ..errors import JobNotFound
    from ..observe.describe import describe_dead_letter, describe_payload

    async with open_deployment() as deployment:
        place = deployment.locate(job_id)
        async with naming_row(deployment, job_id):
            view = await deployment.store.inspect(*place, decrypt=decrypt)
    if view.state != "dead":
        raise JobNotFound(f"{job_id} is not a dead letter: it is {view.state}")
    letter = {**describe_dead_letter(view), **describe_payload(view)}
    if json:
        as_json(letter)
    else:
        show_record(letter)
    return Exit.OK


@app.command()
@command
async def redrive(
    ids: Ids = None, queue: WholeQueue = None, yes: Yes = False, json: Json = False
) -> Exit:
    """Send dead letters back to work with all their attempts: by id, or a whole queue's. More than
    one only after a question."""
    from ..deadletters.verdicts import verdicts_by_id

    async with open_deployment() as deployment:
        chosen = await _choose(deployment, ids or [], queue)
        sure = yes or len(chosen) < 2  # one can be told by its id
        if not confirmed(_action("redrive", chosen, queue), deployment.settings, yes=sure):
            return Exit.FAILED
        async with _audit_action(deployment, "deadletters.redrive", chosen, queue) as action:
            verdicts = await verdicts_by_id(chosen, deployment.store.redrive)
            action.count = _count(verdicts, chosen)
        code = await _print_reasons(deployment, verdicts)
    _print_verdicts(verdicts, "redriven", json=json)
    return code


@app.command()
@command
async def delete(
    ids: Ids = None, queue: WholeQueue = None, yes: Yes = False, json: Json = False
) -> Exit:
    """Delete dead letters for good, after a question: by id, or a whole queue's."""
    from ..deadletters.verdicts import verdicts_by_id

    async with open_deployment() as deployment:
        chosen = await _choose(deployment, ids or [], queue)
        sure = yes or not chosen
        if not confirmed(_action("delete", chosen, queue), deployment.settings, yes=sure):
            return Exit.FAILED
        async with _audit_action(deployment, "deadletters.delete", chosen, queue) as action:
            verdicts = await verdicts_by_id(chosen, partial(deployment.store.delete, state="dead"))
            action.count = _count(verdicts, chosen)
        code = await _print_reasons(deployment, verdicts)
    _print_verdicts(verdicts, "deleted", json=json)
    return code


def _count(verdicts: dict[str, bool], chosen: list[tuple[Queue, str]]) -> int | None:
    """How many were changed; None for the one that the row names."""
    changed = sum(verdicts.values())
    return None if changed == len(chosen) == 1 else changed


def _action(verb: str, chosen: list[tuple[Queue, str]], whole: str | None) -> str:
    """What would be done, for the question. `whole`: the queue of which all are meant."""
    names = sorted({queue.name for queue, _ in chosen}) if whole is None else [whole]
    some = "1 dead letter" if len(chosen) == 1 else f"{len(chosen):,} dead letters"
    queues = "queue" if len(names) == 1 else "queues"
    return f"{verb} {some} of {queues} {', '.join(map(repr, names))}"


def _audit_action(
    deployment: Deployment, verb: str, chosen: list[tuple[Queue, str]], whole: str | None
) -> AbstractAsyncContextManager[Action]:
    """The audit's rows of this action; they name one job, or the first of many, and how many of
    which queues."""
    from ..jobs.ids import public_id

    names = [public_id(local_id, queue.name) for queue, local_id in chosen]
    if len(names) == 1:
        return audited(deployment, verb, *names)
    about = [_action(verb.partition(".")[2], chosen, whole), first_of(names)]
    return audited(deployment, f"{verb}_many", ": ".join(filter(None, about)))


async def _choose(
    deployment: Deployment, ids: list[str], queue: str | None
) -> list[tuple[Queue, str]]:
    """(queue, local id) of each. Raises InvalidOption unless either ids or a queue are named."""
    from ..deadletters.pages import Filter
    from ..errors import InvalidOption
    from ..jobs.ids import local_id

    if bool(ids) == (queue is not None):
        raise InvalidOption("name dead letters by their ids, or all of one queue by --queue", "id")
    if queue is None:
        return [deployment.locate(job_id) for job_id in ids]
    owner = deployment.registry.queue(queue)
    rows, _ = await read_pages(_reader(deployment, [owner], Filter()))
    return [(owner, local_id(row.id)) for row in rows]


def _reader(
    deployment: Deployment, queues: Sequence[Queue], criteria: Filter
) -> Callable[[str | None, int], Awaitable[DeadLetterPage]]:
    """What reads a page of the dead letters that fit, newest first."""
    from ..deadletters.pages import page

    return lambda cursor, most: page(deployment.store, queues, criteria, cursor=cursor, most=most)


async def _print_reasons(deployment: Deployment, verdicts: dict[str, bool]) -> Exit:
    """Print why jobs were left as they are; the exit code of that."""
    from ..deadletters.verdicts import reason_left
    from ..errors import JobNotFound

    left = [job_id for job_id, done in verdicts.items() if not done]
    code = Exit.FAILED if left else Exit.OK
    for job_id in left[:MOST_REASONS]:
        reason = await reason_left(deployment.store, *deployment.locate(job_id))
        if isinstance(reason, JobNotFound):
            reason, code = await with_row(deployment, job_id, reason), Exit.NOT_FOUND
        note(f"tidegate: {reason}")
    if len(left) > MOST_REASONS:
        note(f"… and {len(left) - MOST_REASONS:,} more were left as they are")
    return code


def _print_verdicts(verdicts: dict[str, bool], past: str, *, json: bool) -> None:
    count = sum(verdicts.values())
    if json:
        more = {"state": None} if past == "redriven" else {}  # as the HTTP API answers
        jobs = [{"id": job_id, past: done, **more} for job_id, done in verdicts.items()]
        as_json({"jobs": jobs, past: count, **({"next": None} if more else {})})
    else:
        print(f"{count:,} {past}")


def _line(row: JobRecord) -> list[object]:
    from ..observe.describe import describe_dead_letter

    letter = describe_dead_letter(row)
    error = letter["error"] or {"type": letter["reason"], "message": ""}
    counts = (letter[name] for name in ("attempts", "crashes", "redrives"))
    message = error["message"][:LONGEST_MESSAGE]
    return [letter["id"], letter["type"], letter["died_at"], *counts, error["type"], message]
