"""One asked-for job, checked against its queue, its type's model and the option ranges, as a `Job`.
Touches no store."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from ..errors import InvalidOption, InvalidPayload, PayloadTooLarge, UnknownType
from ..job import Guard, Job
from ..options import Options, make_job
from ..queue import JobType, Queue
from .asked import BACKOFF_TAGS, Backoff, Dedup, EnqueueOne, EnqueueOptions
from .body import INVALID, canonical, faults, to_text
from .problems import Problem


def make(queue: Queue, value: Any, guard: Guard | None = None) -> Job:
    """The job that `{"type", "payload", "options"?}` asks for. Raises Problem or TidegateError."""
    asked = _asked(value)
    job_type = _type(queue, asked.type)
    payload = _payload(job_type, asked.payload)
    return make_job(asked.type, payload, _options(asked, asked.options or EnqueueOptions(), guard))


def _asked(value: Any) -> EnqueueOne:
    if not isinstance(value, dict):
        raise Problem(INVALID, "A job must be a JSON object.")
    try:
        return EnqueueOne.model_validate(value)
    except ValidationError as error:
        found = [{**fault, "field": _plain(fault["field"])} for fault in faults(error)]
        told = "; ".join(f"{fault['field']}: {fault['message']}" for fault in found[:5])
        raise Problem(INVALID, f"The job does not fit: {told}", errors=found) from None


def _plain(field: str) -> str:
    """The path without the names of pydantic's alternatives."""
    return ".".join(part for part in field.split(".") if part not in BACKOFF_TAGS)


def _type(queue: Queue, name: str) -> JobType[Any]:
    found = queue.types.get(name)
    if found is None:
        known = ", ".join(sorted(queue.types)) or "none"
        raise UnknownType(f"queue {queue.name!r} has no job type {name!r}; known: {known}")
    return found


def _payload(job_type: JobType[Any], value: Any) -> str:
    """The payload as its producer wrote it, once its model has accepted it."""
    try:
        text = to_text(value)
    except ValueError:
        raise _invalid(job_type, [{"field": "payload", "message": _NOT_FINITE}]) from None
    size, most = len(text.encode()), job_type.queue.payload_limit
    if size > most:
        raise PayloadTooLarge(
            f"the payload has {size} bytes; queue {job_type.queue.name!r} takes {most}"
        )
    try:
        job_type.model.model_validate_json(text)
    except ValidationError as error:
        raise _invalid(job_type, faults(error, "payload")) from None
    return text


_NOT_FINITE = "a number is out of range; JSON has no infinity"


def _invalid(job_type: JobType[Any], fields: list[dict[str, str]]) -> InvalidPayload:
    told = "; ".join(f"{fault['field']}: {fault['message']}" for fault in fields[:5])
    return InvalidPayload(f"the payload does not fit job type {job_type.name!r}: {told}", fields)


def _options(asked: EnqueueOne, wish: EnqueueOptions, guard: Guard | None) -> Options:
    if wish.delay is not None and wish.run_at is not None:
        raise InvalidOption("delay and run_at: say one of them", "run_at")
    dedup, ttl = _dedup(asked, wish.dedup)
    return Options(
        delay=wish.delay or 0.0,
        run_at=None if wish.run_at is None else _instant(wish.run_at),
        priority=wish.priority,
        key=wish.key,
        dedup=dedup,
        dedup_ttl=ttl,
        job_id=wish.job_id,
        idempotency=guard,
        meta=_meta(wish),
    )


def _instant(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidOption(
            "run_at: an ISO 8601 instant with its offset, e.g. 2026-01-17T09:00:00+01:00", "run_at"
        )
    return moment.timestamp()


def _dedup(asked: EnqueueOne, wish: Dedup | None) -> tuple[str | None, float | None]:
    """(name, seconds): without seconds it holds until the job ends."""
    if wish is None:
        return None, None
    mode = wish.mode or ("window" if wish.ttl is not None else "until_done")
    if mode == "window" and wish.ttl is None:
        raise InvalidOption("dedup: mode window needs a ttl in seconds", "dedup.ttl")
    if mode == "until_done" and wish.ttl is not None:
        raise InvalidOption("dedup: a ttl belongs to mode window, not until_done", "dedup.ttl")
    name = wish.id
    if name is None:
        name = "sha256:" + sha256(canonical([asked.type, asked.payload])).hexdigest()
    return name, wish.ttl


def _meta(wish: EnqueueOptions) -> dict[str, Any]:
    """What rides in the job's own record, in the form that `execute` reads."""
    meta: dict[str, Any] = {}
    if wish.attempts is not None:
        meta["attempts"] = wish.attempts
    if wish.timeout is not None:
        meta["timeout"] = wish.timeout
    if isinstance(wish.backoff, list):
        meta["backoff"] = wish.backoff
    elif isinstance(wish.backoff, Backoff):
        meta["backoff"] = _policy(wish.backoff)
    elif wish.backoff is not None:
        meta["backoff"] = _policy(Backoff(type="fixed", delay=wish.backoff))
    return meta


def _policy(backoff: Backoff) -> dict[str, Any]:
    if backoff.type == "fixed":
        if backoff.factor is not None or backoff.cap is not None:
            raise InvalidOption("backoff: factor and cap belong to type exponential", "backoff")
        chosen: dict[str, Any] = {"type": "fixed", "delay": backoff.delay, "cap": backoff.delay}
    else:
        cap = max(3600.0, backoff.delay) if backoff.cap is None else backoff.cap
        chosen = {"type": "exponential", "delay": backoff.delay, "cap": cap}
        if backoff.factor is not None:
            chosen["factor"] = backoff.factor
    if backoff.jitter is not None:
        chosen["jitter"] = backoff.jitter
    return chosen
