"""Dead letters over HTTP: list them with filters, show one, redrive one or many, delete one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field
from starlette.responses import Response

from ..deadletters.pages import DeadLetterPage, Filter, page
from ..deadletters.verdicts import verdicts_by_id
from ..declare.handle import redrive_one
from ..declare.parse import parse_redrive
from ..declare.requests import RedriveMany
from ..errors import JobNotFound
from ..observe.describe import describe_dead_letter, describe_payload
from ..store.views import JobView
from .body import json_response, read_object
from .call import Call, page_size
from .responses import LOCKED, JobErrorResponse, ResponseModel

HIDDEN_PAYLOAD = {"payload": None, "payload_text": None}


class DeadLetterResponse(ResponseModel):
    """A job that will not run again by itself."""

    id: str
    queue: str
    type: str | None
    died_at: datetime | None
    attempts: int
    crashes: int
    redrives: int
    reason: str | None
    error: JobErrorResponse | None
    errors: list[JobErrorResponse]
    encryption_key: str | None = Field(description="The name of the key of an encrypted job.")
    locked: str | None = Field(description=LOCKED)


class DeadLetterDetailResponse(DeadLetterResponse):
    """One dead letter with its payload, for callers with the right payloads."""

    payload: Any = Field(description="null without the right payloads")
    payload_text: str | None = Field(description="The raw payload where it is not JSON.")


class DeadLetterPageResponse(ResponseModel):
    """A page, newest first. There is more while `next` is not null, even if a page is short."""

    dead_letters: list[DeadLetterResponse]
    next: str | None


class RedriveResponse(ResponseModel):
    """Did this call bring it back to work? Its state now, if not."""

    id: str
    redriven: bool
    state: str | None = None


class RedriveManyResponse(ResponseModel):
    """One verdict a job. There is more to redrive while `next` is not null."""

    jobs: list[RedriveResponse]
    redriven: int
    next: str | None


class DeleteResponse(ResponseModel):
    """The dead letter is gone for good."""

    id: str
    deleted: bool


async def page_of(call: Call) -> DeadLetterPage:
    """The page of a request."""
    parameters = call.query("queue", "type", "error", "cursor", "limit")
    return await page(
        call.deployment.store,
        call.queues(parameters.get("queue")),
        Filter(parameters.get("type"), parameters.get("error")),
        cursor=parameters.get("cursor"),
        most=page_size(parameters),
        decrypt=call.may_read_payloads(),
    )


async def letter_of(call: Call) -> JobView:
    """The dead letter that a request names. Raises JobNotFound where its job is not dead."""
    decrypt = call.may_read_payloads()
    view = await call.deployment.store.inspect(*call.job(), decrypt=decrypt)
    if view.state != "dead":
        raise JobNotFound(f"job {view.id} is {view.state}, not dead")
    return view


async def index(call: Call) -> Response:
    """A page of dead letters, newest first."""
    result = await page_of(call)
    rows = [DeadLetterResponse(**describe_dead_letter(row)) for row in result.rows]
    return json_response(DeadLetterPageResponse(dead_letters=rows, next=result.next))


async def show(call: Call) -> Response:
    """One dead letter. Its payload is for operators."""
    view = await letter_of(call)
    payload = describe_payload(view) if call.may_read_payloads() else HIDDEN_PAYLOAD
    return json_response(DeadLetterDetailResponse(**describe_dead_letter(view), **payload))


async def redrive(call: Call) -> Response:
    """Back to work with its counts at 0. Twice is once: the second call changes nothing. 409:
    another job holds its deduplication name."""
    queue, local_id = call.job()
    store = call.deployment.store
    redriven = await redrive_one(store, queue, local_id)
    state = None if redriven else (await store.inspect(queue, local_id)).state
    return json_response(RedriveResponse(id=call.param("id"), redriven=redriven, state=state))


async def redrive_many(call: Call) -> Response:
    """By ids, or by a filter: then `most` a call, so that a large redrive goes at its caller's pace
    and the queue's limits go on holding."""
    request = parse_redrive(RedriveMany, await read_object(call.request))
    if request.filter is None:
        return await _redrive_all(call, request.ids or [], None)
    result = await page(
        call.deployment.store,
        call.queues(request.filter.queue),
        Filter(request.filter.type, request.filter.error),
        cursor=request.cursor,
        most=request.most,
        decrypt=call.may_read_payloads(),
    )
    return await _redrive_all(call, [row.id for row in result.rows], result.next)


async def delete(call: Call) -> Response:
    """Delete one dead letter for good."""
    queue, local_id = call.job()
    store = call.deployment.store
    (deleted,) = await store.delete(queue, [local_id], state="dead")
    if not deleted:
        view = await store.inspect(queue, local_id)
        raise JobNotFound(f"job {view.id} is {view.state}, not dead")
    return json_response(DeleteResponse(id=call.param("id"), deleted=True))


async def _redrive_all(call: Call, job_ids: list[str], following: str | None) -> Response:
    jobs = [call.locate(job_id) for job_id in job_ids]
    verdicts = await verdicts_by_id(jobs, call.deployment.store.redrive)
    rows = [RedriveResponse(id=job_id, redriven=done) for job_id, done in verdicts.items()]
    redriven = sum(verdicts.values())
    call.tell_changed(redriven)
    return json_response(RedriveManyResponse(jobs=rows, redriven=redriven, next=following))
