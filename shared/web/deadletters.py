"""Dead letters: browse them with filters, look at one, bring one or many back, delete one."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from ..config.settings import ROLES
from ..deadletters.pages import Filter, page
from ..declare.field_errors import field_errors
from ..declare.queue import Queue
from ..declare.requests import DeadLetterFilter, RedriveMany
from ..errors import JobNotFound
from ..jobs.ids import public_id
from ..observe.describe import describe_dead_letter, describe_payload
from .body import INVALID, read_object
from .call import Call
from .problems import Problem
from .responses import (
    DeadLetter,
    DeadLetterDetail,
    DeadLetters,
    Deleted,
    Redriven,
    RedrivenMany,
    json_response,
)

PAGE = 50
LARGEST_PAGE = 200
NO_PAYLOAD = {"payload": None, "payload_text": None}


async def index(call: Call) -> Response:
    """A page of dead letters, newest first."""
    parameters = call.query("queue", "type", "error", "cursor", "limit")
    most = parameters.get("limit", str(PAGE))
    if not (most.isascii() and most.isdecimal() and 1 <= int(most[:9]) <= LARGEST_PAGE):
        raise Problem(INVALID, f"limit: a whole number from 1 to {LARGEST_PAGE}.")
    found = await page(
        call.deployment.store,
        _queues(call, parameters.get("queue")),
        Filter(parameters.get("type"), parameters.get("error")),
        cursor=parameters.get("cursor"),
        most=int(most),
    )
    rows = [DeadLetter(**describe_dead_letter(row)) for row in found.rows]
    return json_response(DeadLetters(dead_letters=rows, next=found.next))


async def show(call: Call) -> Response:
    """One dead letter. Its payload is for operators."""
    queue, short = call.job()
    view = await call.deployment.store.inspect(queue, short)
    if view.state != "dead":
        raise JobNotFound(f"job {view.id} is {view.state}, not dead")
    payload = describe_payload(view) if _may_read_payloads(call) else NO_PAYLOAD
    return json_response(DeadLetterDetail(**describe_dead_letter(view), **payload))


async def redrive(call: Call) -> Response:
    """Back to work with its counts at 0. Twice is once: the second call changes nothing."""
    queue, short = call.job()
    store = call.deployment.store
    (done,) = await store.redrive(queue, [short])
    state = None if done else (await store.inspect(queue, short)).state
    return json_response(Redriven(id=call.param("id"), redriven=done, state=state))


async def redrive_many(call: Call) -> Response:
    """By ids, or by a filter: then `most` a call, so that a large redrive goes at its caller's pace
    and the queue's limits go on holding."""
    asked = _asked(await read_object(call.request))
    if asked.ids is not None:
        return json_response(RedrivenMany(**await _each(call, asked.ids), next=None))
    wanted = asked.filter or DeadLetterFilter(queue=None, type=None, error=None)
    found = await page(
        call.deployment.store,
        _queues(call, wanted.queue),
        Filter(wanted.type, wanted.error),
        cursor=asked.cursor,
        most=asked.most,
    )
    return json_response(
        RedrivenMany(**await _each(call, [row.id for row in found.rows]), next=found.next)
    )


async def delete(call: Call) -> Response:
    """Delete one dead letter for good."""
    queue, short = call.job()
    store = call.deployment.store
    view = await store.inspect(queue, short)
    if view.state != "dead":
        raise JobNotFound(f"job {view.id} is {view.state}, not dead")
    (deleted,) = await store.delete(queue, [short])
    return json_response(Deleted(id=view.id, deleted=deleted))


def _asked(body: dict[str, Any]) -> RedriveMany:
    try:
        asked = RedriveMany.model_validate(body)
    except ValidationError as error:
        raise Problem(
            INVALID, "The request does not fit; see `errors`.", errors=field_errors(error)
        ) from None
    names_some = asked.filter is not None and asked.filter.model_dump(exclude_none=True)
    if (asked.ids is None) == (not names_some):
        raise Problem(INVALID, "Say which: `ids`, or a `filter` with queue, type or error.")
    return asked


async def _each(call: Call, job_ids: list[str]) -> dict[str, Any]:
    by_queue: dict[str, list[str]] = {}
    for job_id in dict.fromkeys(job_ids):
        queue, short = call.deployment.locate(job_id)
        by_queue.setdefault(queue.name, []).append(short)
    verdicts: dict[str, bool] = {}
    for name, shorts in by_queue.items():
        answers = await call.deployment.store.redrive(call.deployment.registry.queue(name), shorts)
        verdicts |= {public_id(s, name): ok for s, ok in zip(shorts, answers, strict=True)}
    jobs = [Redriven(id=job_id, redriven=verdicts[job_id]) for job_id in verdicts]
    return {"jobs": jobs, "redriven": sum(verdicts.values())}


def _queues(call: Call, name: str | None) -> list[Queue]:
    registry = call.deployment.registry
    return registry.queues() if name is None else [registry.queue(name)]


def _may_read_payloads(call: Call) -> bool:
    return ROLES.index(call.role) >= ROLES.index("operator")
