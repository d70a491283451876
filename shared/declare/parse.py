"""Requests as values: a job request as a `Job`, checked against its queue, its type's model and the
options; a redrive request as its model. No store is involved."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from pydantic import ValidationError

from ..errors import InvalidOption, InvalidRequest, TidegateError, UnknownType
from ..jobs.job import Guard, Job
from .field_errors import field_errors, sentence
from .follow_ups import check_follow_ups
from .make_job import make_job, option_errors
from .payload import text_of_value
from .queue import JobType, Queue
from .requests import EnqueueOne, EnqueueOptions, FollowUpRequest, Redrive

if TYPE_CHECKING:
    from pydantic import BaseModel

OPTIONS = "options"
"""The member of a request that holds its options."""
_NO_OPTIONS = EnqueueOptions.model_construct()  # does not build its schema, as a call would


FindQueue: TypeAlias = Callable[[str], Queue]
"""Answers the queue of a name. Raises UnknownQueue."""
AnyRedrive = TypeVar("AnyRedrive", bound=Redrive)
Check: TypeAlias = Callable[[str, str | None], None]
"""Told the type and the key of a job, raises what forbids it. At first the key is None: that is
before the type or its payload is looked at, so a caller learns nothing of types out of reach."""


class Reach(NamedTuple):
    """What a request may ask for."""

    find_queue: FindQueue
    check: Check


def parse_job(
    queue: Queue,
    value: Any,
    guard: Guard | None = None,
    *,
    find_queue: FindQueue,
    check: Check = lambda _type, _key: None,
) -> Job:
    """The job of a request `{"type", "payload", "options"?}`. `find_queue`: for its follow-ups;
    `check`: for itself and them.

    Raises InvalidRequest, UnknownType, InvalidPayload, PayloadTooLarge, InvalidOption, and what
    `check` raises.
    """
    if not isinstance(value, dict):
        raise InvalidRequest("A job must be a JSON object.")
    try:
        request = EnqueueOne.model_validate(value)
    except ValidationError as error:
        raise _misfit(error, value) from None
    return _job(queue, request, guard, Reach(find_queue, check))


def _job(queue: Queue, request: EnqueueOne, guard: Guard | None, reach: Reach) -> Job:
    reach.check(request.type, None)
    job_type = queue.types.get(request.type)
    if job_type is None or job_type.follows:
        known = ", ".join(sorted(queue.open_types)) or "none"
        raise UnknownType(f"queue {queue.name!r} has no job type {request.type!r}; known: {known}")
    payload, model = text_of_value(job_type, request.payload)
    options = request.options or _NO_OPTIONS
    try:
        job = _job_of(job_type, (payload, model), options, guard, reach)
    except InvalidOption as error:
        fields = [{**one, "field": f"{OPTIONS}.{one['field']}"} for one in error.fields]
        raise InvalidOption(str(error), fields[0]["field"], fields) from None
    reach.check(job.type, job.key)
    return job


def _job_of(
    job_type: JobType[Any],
    payload: tuple[str, BaseModel],
    options: EnqueueOptions,
    guard: Guard | None,
    reach: Reach,
) -> Job:
    follow_ups, queue = None, job_type.queue
    if options.then or options.on_dead or options.callback is not None:
        follow_ups = check_follow_ups(
            _follow_ups("then", options.then, queue, reach),
            _follow_ups("on_dead", options.on_dead, queue, reach),
            options.callback,
        )
    return make_job(job_type, *payload, options, guard, follow_ups)


def _follow_ups(
    name: str, requests: list[FollowUpRequest] | None, queue: Queue, reach: Reach
) -> list[Job]:
    """The jobs of an option `then` or `on_dead`. Raises InvalidOption for the first wrong one."""
    jobs: list[Job] = []
    for n, request in enumerate(requests or ()):
        try:
            own = queue if request.queue is None else reach.find_queue(request.queue)
            jobs.append(_job(own, request, None, reach))
        except InvalidOption as error:
            text = f"{name}.{n}.{OPTIONS}.{error}"
            raise InvalidOption(text, f"{name}.{n}.{error.field}") from None
        except TidegateError as error:
            raise InvalidOption(f"{name}.{n}: {error}", f"{name}.{n}") from None
    return jobs


def _misfit(error: ValidationError, job: dict[str, Any]) -> InvalidOption | InvalidRequest:
    """Where only options do not fit, every caller has the same error and sentence of them."""
    fields = [_place_of(one, job) for one in option_errors(error)]
    if any(one["field"].partition(".")[0] != OPTIONS for one in fields):
        return InvalidRequest(f"The job does not fit: {sentence(fields)}", fields)
    options = [{**one, "field": one["field"].removeprefix(f"{OPTIONS}.")} for one in fields]
    return InvalidOption(sentence(options), fields[0]["field"], fields)


def parse_redrive(model: type[AnyRedrive], value: dict[str, Any]) -> AnyRedrive:
    """A redrive request, by names or by a filter that has a field. Raises InvalidRequest."""
    try:
        request = model.model_validate(value)
    except ValidationError as error:
        fields = field_errors(error)
        raise InvalidRequest("The request does not fit; see `errors`.", fields) from None
    has_filter = request.filter is not None and bool(request.filter.model_dump(exclude_none=True))
    if (getattr(request, request.NAMES) is None) == (not has_filter):
        raise InvalidRequest(f"Say which: `{request.NAMES}`, or a `filter` with a field.")
    return request


def _place_of(one: dict[str, str], job: dict[str, Any]) -> dict[str, str]:
    """The error, with the right place for an option that stands beside the payload."""
    name = one["field"]
    if name in job and name in EnqueueOptions.model_fields:
        return {**one, "message": "put it into `options`"}
    return one
