"""Requests as values: a job request as a `Job`, checked against its queue, its type's model and the
option ranges; a redrive request as its model. No store is involved."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from ..errors import InvalidOption, InvalidPayload, InvalidRequest, PayloadTooLarge, UnknownType
from ..jobs.job import Guard, Job
from ..jobs.text import canonical, to_text
from .field_errors import field_errors
from .options import Options, make_job
from .policy import Retry
from .queue import JobType, Queue
from .requests import BACKOFF_TAGS, Backoff, Dedup, EnqueueOne, EnqueueOptions, RedriveMany

_NOT_FINITE = "a number is out of range; JSON has no infinity"


def parse_job(queue: Queue, value: Any, guard: Guard | None = None) -> Job:
    """The job of a request `{"type", "payload", "options"?}`.

    Raises InvalidRequest, UnknownType, InvalidPayload, PayloadTooLarge, InvalidOption.
    """
    request = _request(value)
    job_type = _job_type(queue, request.type)
    payload = _payload(job_type, request.payload)
    return make_job(request.type, payload, _options(request, guard), queue.shards)


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
        fields = [{**one, "field": _plain(one["field"])} for one in field_errors(error)]
        raise InvalidRequest(f"The job does not fit: {_sentence(fields)}", fields) from None


def _plain(field: str) -> str:
    """The field's path without the names of pydantic's alternatives."""
    return ".".join(part for part in field.split(".") if part not in BACKOFF_TAGS)


def _sentence(fields: list[dict[str, str]]) -> str:
    return "; ".join(f"{one['field']}: {one['message']}" for one in fields[:5])


def _job_type(queue: Queue, name: str) -> JobType[Any]:
    job_type = queue.types.get(name)
    if job_type is None:
        known = ", ".join(sorted(queue.types)) or "none"
        raise UnknownType(f"queue {queue.name!r} has no job type {name!r}; known: {known}")
    return job_type


def _payload(job_type: JobType[Any], value: Any) -> str:
    """The payload as JSON text, checked by its model."""
    try:
        text = to_text(value)
    except ValueError:
        raise _invalid(job_type, [{"field": "payload", "message": _NOT_FINITE}]) from None
    size, limit = len(text.encode()), job_type.queue.payload_limit
    if size > limit:
        raise PayloadTooLarge(
            f"the payload has {size} bytes; queue {job_type.queue.name!r} takes {limit}"
        )
    try:
        job_type.model.model_validate_json(text)
    except ValidationError as error:
        raise _invalid(job_type, field_errors(error, "payload")) from None
    return text


def _invalid(job_type: JobType[Any], fields: list[dict[str, str]]) -> InvalidPayload:
    return InvalidPayload(
        f"the payload does not fit job type {job_type.name!r}: {_sentence(fields)}", fields
    )


def _options(request: EnqueueOne, guard: Guard | None) -> Options:
    options = request.options
    if options is None:
        return Options(idempotency=guard)
    if options.delay is not None and options.run_at is not None:
        raise InvalidOption("delay and run_at: give one of them", "run_at")
    dedup = options.dedup
    return Options(
        delay=options.delay or 0.0,
        run_at=None if options.run_at is None else _epoch(options.run_at),
        priority=options.priority,
        key=options.key,
        dedup=None if dedup is None else _dedup_name(request, dedup),
        dedup_ttl=None if dedup is None else _dedup_ttl(dedup),
        job_id=options.job_id,
        idempotency=guard,
        overrides=_overrides(options),
    )


def _epoch(text: str) -> float:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise InvalidOption(
            "run_at: an ISO 8601 instant with its offset, e.g. 2026-01-17T09:00:00+01:00", "run_at"
        )
    return instant.timestamp()


def _dedup_name(request: EnqueueOne, dedup: Dedup) -> str:
    """The caller's name, or one that equal types and payloads share."""
    if dedup.id is not None:
        return dedup.id
    return "sha256:" + sha256(canonical([request.type, request.payload])).hexdigest()


def _dedup_ttl(dedup: Dedup) -> float | None:
    """Seconds for which the name is held; None: until the job ends."""
    mode = dedup.mode or ("window" if dedup.ttl is not None else "until_done")
    if mode == "window" and dedup.ttl is None:
        raise InvalidOption("dedup: mode window needs a ttl in seconds", "dedup.ttl")
    if mode == "until_done" and dedup.ttl is not None:
        raise InvalidOption("dedup: a ttl belongs to mode window, not until_done", "dedup.ttl")
    return dedup.ttl


def _overrides(options: EnqueueOptions) -> dict[str, Any]:
    """The job's own numbers, as its body keeps them."""
    overrides: dict[str, Any] = {}
    if options.attempts is not None:
        overrides["attempts"] = options.attempts
    if options.timeout is not None:
        overrides["timeout"] = options.timeout
    if options.backoff is not None:
        overrides["backoff"] = _retry(options.backoff).backoff()
    return overrides


def _retry(backoff: Backoff | list[float] | float) -> Retry:
    if isinstance(backoff, list):
        return Retry.waits(backoff)
    if not isinstance(backoff, Backoff):
        return Retry.fixed(wait=backoff)
    jitter = backoff.jitter or 0.0
    if backoff.type == "fixed":
        if backoff.factor is not None or backoff.cap is not None:
            raise InvalidOption("backoff: factor and cap belong to type exponential", "backoff")
        return Retry.fixed(wait=backoff.delay, jitter=jitter)
    return Retry.exponential(
        first=backoff.delay,
        factor=2.0 if backoff.factor is None else backoff.factor,
        cap=max(3600.0, backoff.delay) if backoff.cap is None else backoff.cap,
        jitter=jitter,
    )
