"""Requests as values: a job request as a `Job`, checked against its queue, its type's model and the
options; a redrive request as its model. No store is involved."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from ..errors import InvalidRequest, UnknownType
from ..jobs.job import Guard, Job
from .field_errors import field_errors, sentence
from .make_job import make_job, option_errors
from .payload import text_of_value
from .queue import JobType, Queue
from .requests import EnqueueOne, EnqueueOptions, RedriveMany

_NO_OPTIONS = EnqueueOptions()


def parse_job(queue: Queue, value: Any, guard: Guard | None = None) -> Job:
    """The job of a request `{"type", "payload", "options"?}`.

    Raises InvalidRequest, UnknownType, InvalidPayload, PayloadTooLarge, InvalidOption.
    """
    request = _request(value)
    job_type = _job_type(queue, request.type)
    payload, model = text_of_value(job_type, request.payload)
    return make_job(job_type, payload, model, request.options or _NO_OPTIONS, guard)


def parse_redrive(value: dict[str, Any]) -> RedriveMany:
    """A redrive request, by ids or by a filter that names something. Raises InvalidRequest."""
    try:
        request = RedriveMany.model_validate(value)
    except ValidationError as error:
        fields = field_errors(error)
        raise InvalidRequest("The request does not fit; see `errors`.", fields) from None
    has_filter = request.filter is not None and bool(request.filter.model_dump(exclude_none=True))
    if (request.ids is None) == (not has_filter):
        raise InvalidRequest("Say which: `ids`, or a `filter` with queue, type or error.")
    return request


def _request(value: Any) -> EnqueueOne:
    if not isinstance(value, dict):
        raise InvalidRequest("A job must be a JSON object.")
    try:
        return EnqueueOne.model_validate(value)
    except ValidationError as error:
        fields = option_errors(error)
        raise InvalidRequest(f"The job does not fit: {sentence(fields)}", fields) from None


def _job_type(queue: Queue, name: str) -> JobType[Any]:
    job_type = queue.types.get(name)
    if job_type is None:
        known = ", ".join(sorted(queue.types)) or "none"
        raise UnknownType(f"queue {queue.name!r} has no job type {name!r}; known: {known}")
    return job_type
