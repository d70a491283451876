"""`tidegate enqueue`: one job, or a file of them. Every payload is checked before any is sent."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from .bulk_input import Checked, Wish, check, read_payloads
from .context import open_deployment
from .exit_codes import Exit, command
from .options import Json
from .output import as_json, note, progress

if TYPE_CHECKING:
    from ..declare.queue import Queue
    from ..jobs.job import Enqueued, Job
    from ..store import Store

CHUNK = 500
SHOWN = 20
Payload = Annotated[
    str,
    typer.Option(
        "--payload", "-p", help="JSON, @file, or - for stdin; a file may hold one JSON a line."
    ),
]
Delay = Annotated[float | None, typer.Option(help="Seconds before it may run.")]
RunAt = Annotated[
    datetime | None, typer.Option(help="Run it not before this time (UTC, ISO 8601).")
]
Priority = Annotated[str | None, typer.Option(help="high, normal or low.")]
Attempts = Annotated[int | None, typer.Option(help="Tries in all, instead of its queue's number.")]
Timeout = Annotated[float | None, typer.Option(help="Seconds, instead of its type's timeout.")]
Key = Annotated[str | None, typer.Option(help="Whose job it is, for limits by user or tenant.")]
Dedup = Annotated[str | None, typer.Option(help="At most one job of this name until it ends.")]
DedupTtl = Annotated[
    float | None,
    typer.Option(help="At most one in so many seconds, by --dedup's name or the same payload."),
]
OwnId = Annotated[
    str | None,
    typer.Option(
        "--job-id", help="Your own id: a repeat is the same job. In bulk each gets ID-LINE."
    ),
]
SkipInvalid = Annotated[
    bool, typer.Option("--skip-invalid", help="Send the valid ones even where others are not.")
]


@command
async def enqueue(
    queue: Annotated[str, typer.Argument(metavar="QUEUE", help="The queue's name.")],
    job_type: Annotated[str, typer.Argument(metavar="TYPE", help="The job type.")],
    *,
    payload: Payload = "{}",
    delay: Delay = None,
    run_at: RunAt = None,
    priority: Priority = None,
    attempts: Attempts = None,
    timeout: Timeout = None,
    key: Key = None,
    dedup: Dedup = None,
    dedup_ttl: DedupTtl = None,
    job_id: OwnId = None,
    skip_invalid: SkipInvalid = False,
    json: Json = False,
) -> Exit:
    """Enqueue one job, or one a line of a file.

    Every payload is checked against its job type before the first is sent.
    """
    wish = Wish(delay, run_at, priority, attempts, timeout, key, dedup, dedup_ttl, job_id)
    lines = read_payloads(payload)
    if len(lines) > 1 and dedup is not None:
        raise typer.BadParameter("one --dedup name would let one job stand for all lines")
    async with open_deployment() as deployment:
        found = deployment.registry.queue(queue)
        checked = check(lines, found, job_type, wish)
        answers: list[Enqueued] = []
        if skip_invalid or not checked.problems:
            answers = await _send(deployment.store, found, checked.jobs)
    _tell(answers, checked, json=json)
    if checked.problems:
        return Exit.FAILED if answers else Exit.USAGE
    return Exit.OK


async def _send(store: Store, queue: Queue, jobs: list[Job]) -> list[Enqueued]:
    answers: list[Enqueued] = []
    with progress(f"enqueue on {queue.name}", len(jobs)) as advance:
        for at in range(0, len(jobs), CHUNK):
            answers += await store.enqueue(queue, jobs[at : at + CHUNK])
            advance(min(CHUNK, len(jobs) - at))
    return answers


def _tell(answers: list[Enqueued], checked: Checked, *, json: bool) -> None:
    for number, reason in list(checked.problems.items())[:SHOWN]:
        note(f"line {number}: {reason}" if number else f"payload: {reason}")
    if len(checked.problems) > SHOWN:
        note(f"… and {len(checked.problems) - SHOWN:,} more lines that are not valid")
    if checked.problems and not answers:
        note("nothing was enqueued; correct these lines, or pass --skip-invalid")
    if json:
        jobs = [{"id": a.id, "state": a.state, "duplicate": a.duplicate} for a in answers]
        invalid = [{"line": line, "error": error} for line, error in checked.problems.items()]
        as_json({"jobs": jobs, "invalid": invalid})
        return
    if len(answers) == 1:
        (answer,) = answers
        print(f"{answer.id}  {answer.state}{', a duplicate' if answer.duplicate else ''}")
    elif answers or not checked.problems:
        fresh = sum(not answer.duplicate for answer in answers)
        print(f"{fresh:,} enqueued, {len(answers) - fresh:,} were there already")
