"""Dead letters: browse them with filters, look at one, bring one or many back, delete one."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json
from starlette.responses import Response

from ..errors import JobNotFound
from ..queue import Queue
from ..settings import ROLES
from ..store.views import Ended
from .answers import (
    DeadLetter,
    DeadLetterDetail,
    DeadLetters,
    Deleted,
    Redriven,
    RedrivenMany,
    instant,
    respond,
)
from .asked import DeadFilter, RedriveMany
from .body import INVALID, faults, read_object
from .browse import Filter, page
from .call import Call
from .jobs import errors_of
from .problems import Problem

PAGE = 50
LARGEST_PAGE = 200


async def index(call: Call) -> Response:
    """A page of dead letters, newest first."""
    given = call.query("queue", "type", "error", "cursor", "limit")
    most = given.get("limit", str(PAGE))
    if not (most.isascii() and most.isdecimal() and 1 <= int(most[:9]) <= LARGEST_PAGE):
        raise Problem(INVALID, f"limit: a whole number from 1 to {LARGEST_PAGE}.")
    found = await page(
        call.site.store(),
        _queues(call, given.get("queue")),
        Filter(given.get("type"), given.get("error")),
        cursor=given.get("cursor"),
        most=int(most),
    )
    rows = [DeadLetter(**_fields(queue, row)) for queue, row in found.rows]
    return respond(DeadLetters(dead_letters=rows, next=found.next))


async def show(call: Call) -> Response:
    """One dead letter. Its payload is for operators."""
    queue, short = call.job()
    view = await call.site.store().inspect(queue, short)
    if view.state != "dead":
        raise JobNotFound(f"job {view.id} is {view.state}, not dead")
    row = Ended(
        view.id,
        view.at_ms,
        view.type,
        view.state,
        view.attempts,
        view.crashes,
        view.redrives,
        view.why,
        view.payload,
        view.tail,
    )
    payload, text = _payload(view.payload) if _may_read_payloads(call) else (None, None)
    return respond(DeadLetterDetail(**_fields(queue, row), payload=payload, payload_text=text))


async def redrive(call: Call) -> Response:
    """Back to work with its counts at 0. Twice is once: the second call changes nothing."""
    queue, short = call.job()
    store = call.site.store()
    (done,) = await store.redrive(queue, [short])
    state = None if done else (await store.inspect(queue, short)).state
    return respond(Redriven(id=call.param("id"), redriven=done, state=state))


async def redrive_many(call: Call) -> Response:
    """By ids, or by a filter: then `most` a call, so that a large redrive goes at its caller's pace
    and the queue's limits go on holding."""
    asked = _asked(await read_object(call.request))
    if asked.ids is not None:
        return respond(RedrivenMany(**await _each(call, asked.ids), next=None))
    wanted = asked.filter or DeadFilter(queue=None, type=None, error=None)
    found = await page(
        call.site.store(),
        _queues(call, wanted.queue),
        Filter(wanted.type, wanted.error),
        cursor=asked.cursor,
        most=asked.most,
    )
    return respond(
        RedrivenMany(**await _each(call, [row.id for _queue, row in found.rows]), next=found.next)
    )


async def delete(call: Call) -> Response:
    """Delete one dead letter for good."""
    queue, short = call.job()
    store = call.site.store()
    view = await store.inspect(queue, short)
    if view.state != "dead":
        raise JobNotFound(f"job {view.id} is {view.state}, not dead")
    (deleted,) = await store.delete(queue, [short])
    return respond(Deleted(id=view.id, deleted=deleted))


def _asked(body: dict[str, Any]) -> RedriveMany:
    try:
        asked = RedriveMany.model_validate(body)
    except ValidationError as error:
        raise Problem(
            INVALID, "The request does not fit; see `errors`.", errors=faults(error)
        ) from None
    names_some = asked.filter is not None and asked.filter.model_dump(exclude_none=True)
    if (asked.ids is None) == (not names_some):
        raise Problem(INVALID, "Say which: `ids`, or a `filter` with queue, type or error.")
    return asked


async def _each(call: Call, job_ids: list[str]) -> dict[str, Any]:
    by_queue: dict[str, list[str]] = {}
    for job_id in dict.fromkeys(job_ids):
        queue, short = call.locate(job_id)
        by_queue.setdefault(queue.name, []).append(short)
    verdicts: dict[str, bool] = {}
    for name, shorts in by_queue.items():
        answers = await call.site.store().redrive(call.site.registry.queue(name), shorts)
        verdicts |= {f"{s}.{name}": ok for s, ok in zip(shorts, answers, strict=True)}
    jobs = [Redriven(id=job_id, redriven=verdicts[job_id]) for job_id in verdicts]
    return {"jobs": jobs, "redriven": sum(verdicts.values())}


def _queues(call: Call, name: str | None) -> list[Queue]:
    registry = call.site.registry
    return registry.queues() if name is None else [registry.queue(name)]


def _may_read_payloads(call: Call) -> bool:
    return ROLES.index(call.role) >= ROLES.index("operator")


def _fields(queue: Queue, row: Ended) -> dict[str, Any]:
    errors = errors_of(row.tail)
    return {
        "id": row.id,
        "queue": queue.name,
        "type": row.type or None,
        "died_at": instant(row.at_ms),
        "attempts": row.attempts,
        "crashes": row.crashes,
        "redrives": row.redrives,
        "reason": row.why,
        "error": errors[-1] if errors else None,
        "errors": errors,
    }


def _payload(stored: str | bytes) -> tuple[Any, str | None]:
    """(payload, None), or (None, its text) where it is not JSON."""
    try:
        return from_json(stored), None
    except ValueError:
        return None, stored if isinstance(stored, str) else stored.decode("utf-8", "replace")
