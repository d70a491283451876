"""`tidegate dead`: the dead letters, looked at, sent back to work, or deleted."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .context import open_deployment
from .exit_codes import Exit, command
from .jobs import ERROR_COLUMNS, JobId, error_rows, payload_of
from .options import Json, Queues
from .output import as_json, fields, instant, table

if TYPE_CHECKING:
    from ..declare.queue import Queue
    from ..deployment import Deployment
    from ..store.views import JobRecord

PAGE = 200
COLUMNS = ("id", "type", "died", "attempts", "crashes", "redrives", "error", "message")
app = typer.Typer(no_args_is_help=True, help="Dead letters: list, show, redrive, purge.")
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="Ids of dead letters.")]
Queue_ = Annotated[str | None, typer.Option("--queue", help="Every dead letter of this queue.")]


@app.command("list")
@command
async def list_(
    queues: Queues = None,
    job_type: Annotated[str | None, typer.Option("--type", help="Only this job type.")] = None,
    most: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    json: Json = False,
) -> Exit:
    """List dead letters, the newest first."""
    found: list[JobRecord] = []
    async with open_deployment() as deployment:
        for queue in deployment.queues(queues or ()):
            found += await _dead(deployment, queue, job_type=job_type, most=most)
    letters = sorted(found, key=lambda letter: letter.at_ms, reverse=True)[:most]
    if json:
        as_json({"dead": [_described(letter) for letter in letters]})
    elif letters:
        table(COLUMNS, [_line(letter) for letter in letters])
    else:
        print("no dead letters")
    return Exit.OK


@app.command()
@command
async def show(job_id: JobId, json: Json = False) -> Exit:
    """Show a dead letter: its payload, and the errors that led there."""
    from ..errors import JobNotFound

    async with open_deployment() as deployment:
        queue, short = deployment.locate(job_id)
        view = await deployment.store.inspect(queue, short)
    if view.state != "dead":
        raise JobNotFound(f"{job_id} is no dead letter: it is {view.state}")
    errors = view.history.get("errors", [])
    found = {
        "id": view.id,
        "type": view.type,
        "died": instant(view.at_ms),
        "attempts": view.attempts,
        "crashes": view.crashes,
        "redrives": view.redrives,
        "why": view.reason,
        "payload": payload_of(view.payload),
    }
    if json:
        as_json({**found, "errors": errors})
        return Exit.OK
    fields(found)
    print()
    table(ERROR_COLUMNS, error_rows(errors))
    return Exit.OK


@app.command()
@command
async def redrive(ids: Ids = None, queue: Queue_ = None, json: Json = False) -> Exit:
    """Send dead letters back to work with all their attempts: these, or a whole queue's."""
    return await _each("redrive", ids, queue, json=json)


@app.command()
@command
async def purge(ids: Ids = None, queue: Queue_ = None, json: Json = False) -> Exit:
    """Delete dead letters for good: these, or a whole queue's."""
    return await _each("purge", ids, queue, json=json)


async def _each(what: str, ids: list[str] | None, queue: str | None, *, json: bool) -> Exit:
    async with open_deployment() as deployment:
        chosen = await _chosen(deployment, ids or [], queue)
        verdicts: dict[str, bool] = {}
        for found, shorts in chosen:
            if what == "redrive":
                answers = await deployment.store.redrive(found, shorts)
            elif queue is not None:
                answers = await deployment.store.delete(found, shorts)
            else:
                answers = await _drop_dead(deployment, found, shorts)
            verdicts.update(
                zip((f"{short}.{found.name}" for short in shorts), answers, strict=True)
            )
    missed = [job_id for job_id, done in verdicts.items() if not done]
    done = len(verdicts) - len(missed)
    if json:
        as_json({"done": done, "not_dead": missed})
    else:
        print(f"{done:,} {'sent back to work' if what == 'redrive' else 'deleted'}")
        for job_id in missed:
            print(f"{job_id} is not among the dead letters")
    return Exit.NOT_FOUND if missed else Exit.OK


async def _chosen(
    deployment: Deployment, ids: list[str], queue: str | None
) -> list[tuple[Queue, list[str]]]:
    """What to act on, a queue at a time. Raises InvalidOption unless ids or a queue were given."""
    from ..errors import InvalidOption

    if bool(ids) == (queue is not None):
        raise InvalidOption("name dead letters by their ids, or all of one queue by --queue", "id")
    if queue is not None:
        found = deployment.registry.queue(queue)
        letters = await _dead(deployment, found)
        return [(found, [letter.id.partition(".")[0] for letter in letters])]
    by_queue: dict[str, tuple[Queue, list[str]]] = {}
    for job_id in ids:
        owner, short = deployment.locate(job_id)
        by_queue.setdefault(owner.name, (owner, []))[1].append(short)
    return list(by_queue.values())


async def _drop_dead(deployment: Deployment, queue: Queue, shorts: list[str]) -> list[bool]:
    """Drop, but only what is dead: the store's verb would take a completed job as well."""
    from ..errors import JobNotFound

    dead = []
    for short in shorts:
        with suppress(JobNotFound):
            if (await deployment.store.inspect(queue, short)).state == "dead":
                dead.append(short)
    dropped = dict(zip(dead, await deployment.store.delete(queue, dead), strict=True))
    return [dropped.get(short, False) for short in shorts]


async def _dead(
    deployment: Deployment, queue: Queue, *, job_type: str | None = None, most: int | None = None
) -> list[JobRecord]:
    """The queue's dead letters, newest first, read page by page."""
    found: list[JobRecord] = []
    newest, skip = "+inf", 0
    while most is None or len(found) < most:
        page = await deployment.store.browse(queue, "dead", newest=newest, skip=skip, most=PAGE)
        found += [letter for letter in page if job_type in (None, letter.type)]
        if len(page) < PAGE:
            break
        last = page[-1].at_ms
        seen = sum(letter.at_ms == last for letter in page)
        skip = skip + seen if newest == str(last) else seen
        newest = str(last)
    return found[:most]


def _described(letter: JobRecord) -> dict[str, Any]:
    return {
        "id": letter.id,
        "type": letter.type,
        "died": instant(letter.at_ms),
        "attempts": letter.attempts,
        "crashes": letter.crashes,
        "redrives": letter.redrives,
        "why": letter.reason,
        "payload": payload_of(letter.payload),
        "errors": letter.history.get("errors", []),
    }


def _line(letter: JobRecord) -> list[object]:
    last: dict[str, Any] = next(reversed(letter.history.get("errors", [])), {})
    counts = (letter.attempts, letter.crashes, letter.redrives)
    kind, message = last.get("type", letter.reason), str(last.get("message", ""))[:160]
    return [letter.id, letter.type, instant(letter.at_ms), *counts, kind, message]
