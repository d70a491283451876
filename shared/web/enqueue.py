"""POST /api/v1/queues/{queue}/jobs: one job, or up to 1,000, each with an answer of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ConfigDict, Field
from starlette.responses import Response

from ..declare.queue import Queue
from ..declare.requests import MOST_JOBS_A_BODY
from ..errors import InvalidRequest, KeyLimited
from ..jobs.job import EnqueueAnswer
from .body import json_response, read_object
from .bulk import Bulk
from .call import Call
from .idempotency import read_key
from .problems import PROBLEM_TYPES, Problem, problem_of
from .producer import Producer
from .ratelimit import limit_headers
from .responses import ProblemResponse, ResponseModel


class EnqueueResponse(ResponseModel):
    """The job that now stands for the request. `duplicate`: it was there before."""

    id: str
    state: str
    duplicate: bool


class EntryProblemResponse(ProblemResponse):
    """The problem of one job of many."""

    model_config = ConfigDict(title="EntryProblem")
    retry_after: float | None = Field(
        None, description="Seconds after which it may be stored; absent where waiting won't help."
    )


class EnqueueErrorResponse(ResponseModel):
    """One job of many that was not stored."""

    error: EntryProblemResponse


class EnqueueManyResponse(ResponseModel):
    """One answer a job, in order."""

    jobs: list[EnqueueResponse | EnqueueErrorResponse]


async def enqueue(call: Call) -> Response:
    """202: the job is stored. It runs when a drain claims it."""
    queue, store = call.queue(), call.deployment.store
    body = await read_object(call.request)
    key, producer = read_key(call.request, body), Producer(call, queue)
    if "jobs" in body:
        values = _jobs_of(body)
        bulk = Bulk(store, queue, producer, key)
        return json_response({"jobs": await _enqueue_many(bulk, values)}, 202)
    job = producer.job(body, key.guard() if key else None)
    try:
        stored = await store.enqueue_one(queue, job)
    except KeyLimited as error:
        raise limited(queue, error) from None
    await producer.require_reached(stored)
    response = EnqueueResponse(id=stored.id, state=stored.state, duplicate=stored.duplicate)
    mounted_at = call.request.scope.get("root_path", "")
    return json_response(response, 202, {"Location": f"{mounted_at}/api/v1/jobs/{stored.id}"})


def limited(queue: Queue, error: KeyLimited) -> Exception:
    """The problem of an enqueue that its key's rate refuses, with the fields that tell the rate."""
    rate = queue.refused_rate
    if rate is None:  # a deployment with another declaration is at work too
        return error
    document, headers = problem_of(error)
    fields = {**headers, **limit_headers(rate, error.retry_after)}
    return Problem(PROBLEM_TYPES[KeyLimited], document["detail"], headers=fields)


def _jobs_of(body: dict[str, Any]) -> list[Any]:
    values = body["jobs"]
    if len(body) > 1 or not isinstance(values, list) or len(values) > MOST_JOBS_A_BODY:
        raise InvalidRequest(
            f'Send {{"jobs": [...]}} and nothing else, {MOST_JOBS_A_BODY} at most.'
        )
    return values


async def _enqueue_many(
    bulk: Bulk, values: Sequence[Any]
) -> list[EnqueueResponse | dict[str, Any]]:
    await bulk.parse(values)
    await bulk.store_jobs()
    return [
        EnqueueResponse(id=answer.id, state=answer.state, duplicate=answer.duplicate)
        if isinstance(answer, EnqueueAnswer)
        else {"error": answer}
        for answer in bulk.answers()
    ]
