"""Payloads as JSON text: what is stored is what the model reads back, or it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, from_json

from ..errors import InvalidPayload, PayloadTooLarge
from ..jobs.body import byte_length, to_text
from ..jobs.history import sanitize
from .difference import difference
from .field_errors import LONGEST_MESSAGE, field_errors, sentence
from .sets import with_sorted_sets

if TYPE_CHECKING:
    from .queue import JobType, Queue

_NOT_FINITE = "a number is out of range; JSON has no infinity"
_UNREADABLE = "what it writes as JSON is not what it reads (look at its aliases and serializers)"


def text_of(job_type: JobType[Any], payload: BaseModel) -> str:
    """An instance of the job type's model as the text to store: the model reads it back and gets
    the same values. Raises InvalidPayload, which names the field, and PayloadTooLarge."""
    model = job_type.model
    if type(payload) is not model:
        raise InvalidPayload(
            f"job type {job_type.name!r} takes {model.__name__}, not {type(payload).__name__}"
        )
    text, read = _round_trip(job_type, payload)
    if read != payload:
        changed = difference(payload, read, "payload")
        if changed is not None:
            raise _invalid(job_type, [changed])
    check_size(job_type.queue, text)
    return text


def text_of_value(job_type: JobType[Any], value: Any) -> tuple[str, BaseModel]:
    """A parsed JSON value as the text to store, and what the model reads from it. Raises
    InvalidPayload, PayloadTooLarge."""
    try:
        text = to_text(value)
    except ValueError:
        raise _invalid(job_type, [{"field": "payload", "message": _NOT_FINITE}]) from None
    check_size(job_type.queue, text)
    try:
        payload = job_type.model.model_validate_json(text)
    except ValidationError as error:
        raise _invalid(job_type, field_errors(error, "payload")) from None
    except (Exception, SystemExit) as bug:
        if not (job_type.queue.encrypt or isinstance(bug, SystemExit)):
            raise
        # Its text may quote the payload, and errors like this one are logged; an exit would be
        # the server's.
        name = type(bug).__name__
        raise RuntimeError(f"the model of job type {job_type.name!r} failed: {name}") from None
    return text, payload


def content_of(job_type: JobType[Any], text: str, read: BaseModel) -> Any:
    """A stored payload as its model writes it, so that equal payloads are equal however they were
    spelled: with a default left out, or "5" for 5. It is as it was sent where the model would not
    read that back alike (a secret, an excluded field), or writes each time another value (a default
    made of the clock). `read`: what the model reads from the text. Any caller may ask for this, and
    reading takes long where a payload is deep: it is read as seldom as these two can be told."""
    try:
        written, back = _round_trip(job_type, read)
        again = job_type.model.model_validate_json(text)
        keeps = bool(back == read) and _dump(again) == _dump(read)
    except (Exception, SystemExit):  # noqa: BLE001 - a model may read, write and compare in any way
        keeps = False
    return from_json(written if keeps else text)


def check_size(queue: Queue, text: str) -> None:
    """Raises PayloadTooLarge where the payload has more bytes than its queue takes."""
    size = byte_length(text)
    if size > queue.payload_limit:
        raise PayloadTooLarge(
            f"the payload has {size} bytes; queue {queue.name!r} takes {queue.payload_limit}"
        )


def _round_trip(job_type: JobType[Any], payload: BaseModel) -> tuple[str, BaseModel]:
    """The payload as text, by its aliases where the model reads those, and as it is read back."""
    failure: ValidationError | None = None
    for by_alias in (True, False):
        try:
            text = with_sorted_sets(payload, _finite(job_type, _dump(payload, by_alias=by_alias)))
            return text, job_type.model.model_validate_json(text)
        except ValidationError as error:
            failure = failure or error
        except PydanticSerializationError as error:
            message = f"it can't be written as JSON: {sanitize(str(error))[:LONGEST_MESSAGE]}"
            raise _invalid(job_type, [{"field": "payload", "message": message}]) from None
    fields = field_errors(failure, "payload") if failure else []
    unreadable = [{**one, "message": f"{one['message']}; {_UNREADABLE}"} for one in fields]
    raise _invalid(job_type, unreadable)


def _dump(payload: BaseModel, *, by_alias: bool = True) -> str:
    return payload.model_dump_json(by_alias=by_alias, round_trip=True, warnings=False)


def _finite(job_type: JobType[Any], text: str) -> str:
    """The text, if it is JSON: a model may be configured to write Infinity and NaN."""
    if "Infinity" in text or "NaN" in text:  # a text may just hold the word
        try:
            from_json(text, allow_inf_nan=False)
        except ValueError:
            raise _invalid(job_type, [{"field": "payload", "message": _NOT_FINITE}]) from None
    return text


def _invalid(job_type: JobType[Any], fields: list[dict[str, str]]) -> InvalidPayload:
    return InvalidPayload(
        f"the payload does not fit job type {job_type.name!r}: {sentence(fields)}", fields
    )
