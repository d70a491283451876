"""`tidegate enqueue`: one job, or one for each line of a file. All payloads are checked before the
first job is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..jobs.sizes import MOST_JOBS_A_REQUEST
from .bulk_input import BulkJobs, Line, parse_lines, read_lines
from .command import command
from .context import open_deployment
from .exit_codes import Exit
from .options import Json
from .output import as_json, note, progress

if TYPE_CHECKING:
    from ..declare.queue import Queue
    from ..jobs.job import EnqueueAnswer, Job
    from ..store import Store

MOST_PROBLEMS = 20
"""Invalid lines that are printed; the others are counted."""
Payload = Annotated[
    str,
    typer.Option(
        "--payload",
        "-p",
        help="JSON, @file, or - for stdin; a file may hold one JSON a line.",
    ),
]
Delay = Annotated[float | None, typer.Option(help="Seconds before the job may run.")]
RunAt = Annotated[
    str | None, typer.Option(help="Not before this instant: ISO 8601 with an offset, or Z.")
]
Priority = Annotated[str | None, typer.Option(help="high, normal or low.")]
Attempts = Annotated[int | None, typer.Option(help="Attempts in all, if not the job type's.")]
Backoff = Annotated[
    str | None,
    typer.Option(help="Seconds between attempts: 5, or JSON: a list of waits, or a policy."),
]
Timeout = Annotated[float | None, typer.Option(help="Seconds, if not the job type's timeout.")]
Key = Annotated[str | None, typer.Option(help="The job's user or tenant, for limits by key.")]
Dedup = Annotated[str | None, typer.Option(help="A name that only one unfinished job may have.")]
DedupTtl = Annotated[
    float | None,
    typer.Option(help="At most one job in so many seconds, by --dedup or by an equal payload."),
]
OwnId = Annotated[
    str | None,
    typer.Option(
        "--job-id", help="Your own id: a repeat is the same job. In bulk each job is ID-LINE."
    ),
]
IdempotencyKey = Annotated[
    str | None,
    typer.Option(help="A repeat has the same answer for 24 hours. In bulk each key is KEY-LINE."),
]
Then = Annotated[
    list[str] | None,
    typer.Option(
        help="A job to enqueue when this one completes, as JSON: "
        '{"type": …, "payload": …, "queue": …}. May be given several times.'
    ),
]
OnDead = Annotated[
    list[str] | None, typer.Option(help="A job to enqueue when this one dies, as for --then.")
]
Callback = Annotated[
    str | None, typer.Option(help="An https URL: a signed webhook tells of either end.")
]
SkipInvalid = Annotated[
    bool, typer.Option("--skip-invalid", help="Send the valid lines even if others are invalid.")
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
    backoff: Backoff = None,
    timeout: Timeout = None,
    key: Key = None,
    dedup: Dedup = None,
    dedup_ttl: DedupTtl = None,
    job_id: OwnId = None,
    idempotency_key: IdempotencyKey = None,
    then: Then = None,
    on_dead: OnDead = None,
    callback: Callback = None,
    skip_invalid: SkipInvalid = False,
    json: Json = False,
) -> Exit:
    """Enqueue one job, or one for each line of a file; every payload is checked first."""
    options: dict[str, Any] = {
        "delay": delay, "run_at": run_at, "priority": priority, "attempts": attempts,
        "backoff": None if backoff is None else _from_json(backoff), "timeout": timeout,
        "dedup": dedup, "dedup_ttl": dedup_ttl, "key": key, "job_id": job_id,
        "idempotency_key": idempotency_key, "callback": callback,
        "then": _follow_ups("--then", then), "on_dead": _follow_ups("--on-dead", on_dead),
    }  # fmt: skip
    lines = _read(payload, dedup)
    bulk, answers = await _enqueue(queue, job_type, lines, _present(options), partly=skip_invalid)
    return _report(answers, bulk, json=json)


def _read(payload: str, dedup: str | None) -> list[Line]:
    lines = read_lines(payload)
    if len(lines) > 1 and dedup is not None:
        raise typer.BadParameter("with one --dedup name all lines would be one job")
    return lines


async def _enqueue(
    name: str, job_type: str, lines: list[Line], options: dict[str, Any], *, partly: bool
) -> tuple[BulkJobs, list[EnqueueAnswer]]:
    """`partly`: send the valid lines even if others are invalid."""
    async with open_deployment() as deployment:
        queue = deployment.registry.queue(name)
        bulk = parse_lines(lines, queue, job_type, options, deployment.registry.queue)
        answers: list[EnqueueAnswer] = []
        if partly or not bulk.problems:
            answers = await _send(deployment.store, queue, bulk.jobs)
    return bulk, answers


def _report(answers: list[EnqueueAnswer], bulk: BulkJobs, *, json: bool) -> Exit:
    from ..jobs.job import group_refusals

    stored = [answer for answer in answers if answer.stored]
    refused = []
    for error, reason, ids in group_refusals(answers):
        again = f"; again in {error.retry_after:g} s" if error.retry_after is not None else ""
        note(f"{len(ids):,} not enqueued: {reason}{again}")
        refused += ids
    _print_problems(bulk, stored=bool(stored))
    _print_answers(stored, refused, bulk, json=json)
    if bulk.problems and not answers:
        return Exit.USAGE
    return Exit.FAILED if bulk.problems or refused else Exit.OK


def _present(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _follow_ups(option: str, texts: list[str] | None) -> list[Any] | None:
    from json import loads

    try:
        return [loads(text) for text in texts] if texts else None
    except ValueError as error:
        raise typer.BadParameter(f"{option}: not JSON: {error}") from None


def _from_json(backoff: str) -> Any:
    """A number, a list or an object; other text is left to the option's check."""
    from json import loads

    try:
        return loads(backoff)
    except ValueError:
        return backoff


async def _send(store: Store, queue: Queue, jobs: list[Job]) -> list[EnqueueAnswer]:
    answers: list[EnqueueAnswer] = []
    try:
        with progress(f"enqueue on {queue.name}", len(jobs)) as advance:
            for at in range(0, len(jobs), MOST_JOBS_A_REQUEST):
                answers += await store.enqueue(queue, jobs[at : at + MOST_JOBS_A_REQUEST])
                advance(min(MOST_JOBS_A_REQUEST, len(jobs) - at))
    finally:
        if len(answers) < len(jobs) > 1:  # Ctrl-C, or the store went away
            note(
                f"at least {len(answers):,} of {len(jobs):,} jobs were enqueued. With --job-id or "
                "--idempotency-key the whole file can be sent again: no job is stored twice"
            )
    return answers


def _print_problems(bulk: BulkJobs, *, stored: bool) -> None:
    for number, reason in list(bulk.problems.items())[:MOST_PROBLEMS]:
        note(f"line {number}: {reason}" if number else f"payload: {reason}")
    if len(bulk.problems) > MOST_PROBLEMS:
        note(f"… and {len(bulk.problems) - MOST_PROBLEMS:,} more invalid lines")
    if bulk.problems and not stored:
        of_lines = any(bulk.problems)  # 0 is the one payload of the command line
        note(f"nothing was enqueued{'; correct these lines, or pass --skip-invalid' * of_lines}")


def _print_answers(
    answers: list[EnqueueAnswer], refused: list[str], bulk: BulkJobs, *, json: bool
) -> None:
    if json:
        jobs = [{"id": a.id, "state": a.state, "duplicate": a.duplicate} for a in answers]
        invalid = [{"line": line, "error": error} for line, error in bulk.problems.items()]
        as_json({"jobs": jobs, "invalid": invalid, "refused": refused})
    elif len(answers) == 1:
        (answer,) = answers
        print(f"{answer.id}  {answer.state}{', a duplicate' if answer.duplicate else ''}")
    elif answers or not (bulk.problems or refused):
        new = sum(not answer.duplicate for answer in answers)
        print(f"{new:,} enqueued, {len(answers) - new:,} duplicates")
