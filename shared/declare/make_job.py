"""A job of its type, its payload's text and the options of its caller. Python, HTTP, command line
and inbox have the same options, checks and sentences: these."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import from_json

from ..errors import LONGEST_DELAY, InvalidOption
from ..jobs.body import FOLLOW_UPS, canonical
from ..jobs.follow_ups import FollowUps
from ..jobs.ids import check_job_id, new_id
from ..jobs.job import Guard, Job
from .default_store import present_ms
from .field_errors import field_errors, sentence
from .follow_ups import check_follow_ups, with_follow_ups
from .idempotency import VISIBLE, Key, is_key
from .key import check_word, key_of
from .overrides import check_dedup_ttl, read_overrides
from .payload import content_of
from .requests import INSTANT, TAGS, Dedup, EnqueueOptions

if TYPE_CHECKING:
    from pydantic import BaseModel

    from .queue import JobType


def make_job(
    job_type: JobType[Any],
    payload: str,
    model: BaseModel,
    options: EnqueueOptions,
    guard: Guard | None = None,
    follow_ups: FollowUps | None = None,
) -> Job:
    """The job of these options. `payload` is the text of `model`. `guard`: that of an idempotency
    key that came with the whole request. `follow_ups`: those of the options, as jobs; None: none.

    Raises InvalidOption, which names the field.
    """
    if options.delay is not None and options.run_at is not None:
        raise InvalidOption("run_at: give it or delay, not both", "run_at")
    overrides, text, own = read_overrides(job_type, options), payload, options.job_id
    if follow_ups is not None:
        overrides[FOLLOW_UPS] = True
        text = with_follow_ups(job_type, payload, follow_ups)
    return Job(
        type=job_type.name,
        payload=text,
        queue=job_type.queue.name,
        id=new_id(job_type.queue.shards, len(payload)) if own is None else check_job_id(own),
        priority=options.priority or "normal",
        delay_ms=round((options.delay or 0.0) * 1000),
        run_at_ms=0 if options.run_at is None else _instant_ms(options.run_at),
        key=key_of(job_type, model, options.key),
        dedup=_dedup(job_type, payload, model, options),
        idempotency=_idempotency(job_type, payload, options, guard, follow_ups),
        overrides=overrides,
        created_ms=0 if own is None else present_ms(),
        follows_death=follow_ups is not None and follow_ups.follow_death,
    )


def make_job_of(
    job_type: JobType[Any], payload: str, model: BaseModel, values: Mapping[str, Any]
) -> Job:
    """The job of options as a Python caller gave them, whose follow-ups are jobs. Raises
    InvalidOption."""
    options = read_options({n: values[n] for n in values if n not in ("then", "on_dead")})
    then, on_dead, follow_ups = values.get("then"), values.get("on_dead"), None
    if then is not None or on_dead is not None or options.callback is not None:
        follow_ups = check_follow_ups(then, on_dead, options.callback)
    return make_job(job_type, payload, model, options, follow_ups=follow_ups)


def read_options(values: Mapping[str, Any]) -> EnqueueOptions:
    """Options as a Python caller gave them: a `run_at` may be a datetime, a list may be a tuple.
    Raises InvalidOption."""
    try:
        return EnqueueOptions.model_validate({name: _plain(values[name]) for name in values})
    except ValidationError as error:
        fields = option_errors(error)
        raise InvalidOption(sentence(fields), fields[0]["field"], fields) from None


def option_errors(error: ValidationError) -> list[dict[str, str]]:
    """A validation error as fields and messages, without the names of pydantic's alternatives."""
    return [
        {**one, "field": ".".join(part for part in one["field"].split(".") if part not in TAGS)}
        for one in field_errors(error)
    ]


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _instant_ms(text: str) -> int:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is not None and instant.tzinfo is not None:
        epoch_ms = round(instant.timestamp() * 1000)
        if 0 <= epoch_ms <= present_ms() + LONGEST_DELAY * 1000:
            return max(1, epoch_ms)
    raise InvalidOption(f"run_at: {INSTANT}", "run_at")


def _dedup(
    job_type: JobType[Any], payload: str, model: BaseModel, options: EnqueueOptions
) -> Guard | None:
    dedup = Dedup(id=options.dedup) if isinstance(options.dedup, str) else options.dedup
    if dedup is None and options.dedup_ttl is None:
        return None
    dedup = dedup or Dedup()
    if options.dedup_ttl is not None:
        if dedup.ttl is not None:
            raise InvalidOption("dedup_ttl: dedup has a ttl already; give one", "dedup_ttl")
        dedup = dedup.model_copy(update={"ttl": options.dedup_ttl})
    ttl = _dedup_ttl(dedup)
    own = dedup.id
    name = _content(job_type, payload, model) if own is None else check_word(own, "dedup")
    ttl_ms = 0 if ttl is None else max(1, round(check_dedup_ttl(job_type, ttl) * 1000))
    return Guard(f"dedup:{name}", ttl_ms)


def _content(job_type: JobType[Any], payload: str, model: BaseModel) -> str:
    """A name that equal types and payloads share."""
    content = [job_type.name, content_of(job_type, payload, model)]
    return "sha256:" + sha256(canonical(content)).hexdigest()


def _dedup_ttl(dedup: Dedup) -> float | None:
    """Seconds for which the name is held; None: until the job ends."""
    mode = dedup.mode or ("window" if dedup.ttl is not None else "until_done")
    if mode == "window" and dedup.ttl is None:
        raise InvalidOption("dedup: mode window needs a ttl in seconds", "dedup.ttl")
    if mode == "until_done" and dedup.ttl is not None:
        raise InvalidOption("dedup: a ttl belongs to mode window, not until_done", "dedup.ttl")
    return dedup.ttl


def _idempotency(
    job_type: JobType[Any],
    payload: str,
    options: EnqueueOptions,
    guard: Guard | None,
    follow_ups: FollowUps | None,
) -> Guard | None:
    name = options.idempotency_key
    if name is None:
        return guard
    if guard is not None:
        raise InvalidOption(
            "idempotency_key: the header Idempotency-Key is there already; give one",
            "idempotency_key",
        )
    if not is_key(name):
        raise InvalidOption(f"idempotency_key: {VISIBLE}", "idempotency_key")
    left_out = {"idempotency_key", "then", "on_dead"}
    # Without a warning: pydantic tries the first of a field's alternatives, and it is another one.
    others = options.model_dump(exclude=left_out, exclude_none=True, warnings=False)
    if follow_ups is not None:
        others["follow_ups"] = follow_ups.line()
    request = {"type": job_type.name, "payload": from_json(payload)}
    return Key.of(name, {**request, "options": others} if others else request).guard()
