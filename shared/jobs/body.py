r"""A job's body: one line of JSON (type, overrides, the subject of the stored token that
enqueued it, and when it was created where its id does not tell), `\n`, the payload as it was
enqueued. Where the first line has that mark, the last one has the job's follow-ups
(jobs/follow_ups.py).

Written once and never again, so a retry sees the original bytes. Scripts don't read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

_CREATED = ',"made":'
"""Nothing else in a line can hold this: a type is a JSON string, whose quotes are escaped."""


BY = "by"
"""The name in the first line of the stored token that enqueued it: its subject."""
TRACE = "trace"
"""The name in the first line of the `traceparent` (W3C) of the enqueue (jobs/trace.py)."""
CUT_RECORD = "~cut"
"""In front of what is kept of an inbox record that was too large for its queue: its bytes, and the
first of them. lua/lib/codes.lua has the same."""
FOLLOW_UPS = "follow_ups"
"""The name in the first line that marks the last one as follow-ups."""


class Body(NamedTuple):
    """A decoded body. `overrides`: the job's own numbers in place of its queue's (attempts,
    backoff, timeout). `created_ms`: when the job was created, by its producer's clock; None where
    its id tells. `encryption`: the label of the key with which the payload is encrypted, "" if it
    is plain. `follow_ups`: their line, "" where it has none, or is encrypted with the payload.
    `by`: the subject of the stored token that enqueued it, "" for any other way. `trace`: the
    `traceparent` of its enqueue, "" without one."""

    type: str
    overrides: Mapping[str, Any]
    payload: str | bytes
    created_ms: int | None = None
    encryption: str = ""
    follow_ups: str = ""
    by: str = ""
    trace: str = ""


def encode_body(job_type: str, values: Mapping[str, Any], payload: str, created_ms: int = 0) -> str:
    """The text that the store keeps: the first line with its newline, and the payload. `values`:
    what the line has beside the type. `created_ms`: 0 where the job's id tells it."""
    line = _line({"type": job_type, **values}) if values else _line_of_type(job_type)
    if created_ms:  # the last member, so that the rest of the line is equal for jobs of one type
        line = f"{line[:-2]}{_CREATED}{created_ms}}}\n"
    return line + payload


def byte_length(text: str) -> int:
    """The bytes of the text as it is sent and stored. An ASCII text is not encoded for that."""
    return len(text) if text.isascii() else len(text.encode())


def to_text(value: Any) -> str:
    """A parsed value as JSON text: integers, 1.0, {} and [] as they came. Raises ValueError."""
    text = to_json(value).decode()
    if "Infinity" in text:  # 1e400 reads as infinity; a string may just hold the word
        json.dumps(value, allow_nan=False)
    return text


def canonical(value: Any) -> bytes:
    """The one text of a value, whatever the order of its names. Raises ValueError (1e400)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def decode_body(body: str | bytes) -> Body:
    """The parts of a body. Raises ValueError."""
    if isinstance(body, bytes):
        raise ValueError("it is not UTF-8")  # noqa: TRY004 - bytes mean bad text, not a wrong type
    line, newline, rest = body.partition("\n")
    if not newline:
        raise ValueError("it has no payload")
    line, created_ms = _without_instant(line)
    first = _first_line(line)
    read = Body(
        first.type, first.overrides, rest, created_ms, first.encryption, "", first.by, first.trace
    )
    return with_content(read, rest) if first.has_follow_ups and not first.encryption else read


def with_content(body: Body, content: str) -> Body:
    """The body with the payload and the follow-ups of `content`, the last line."""
    payload, newline, follow_ups = content.rpartition("\n")
    return body._replace(payload=payload, follow_ups=follow_ups) if newline else body


def has_follow_ups(body: str) -> bool:
    """True if the first line of a body marks the last one as follow-ups."""
    return _first_line(_without_instant(body.partition("\n")[0])[0]).has_follow_ups


def is_encrypted(body: str | bytes) -> bool:
    """True if the payload of a body is encrypted. Reads its first line only."""
    if isinstance(body, bytes):
        return False
    line, newline, _payload = body.partition("\n")
    try:
        return bool(newline) and bool(_first_line(_without_instant(line)[0]).encryption)
    except ValueError:
        return False


def decode_foreign(record: str | bytes) -> tuple[str, Any, Any]:
    """Type, payload and options of an inbox record, `{"type", "payload", "options"?}`, as its
    producer wrote it. Raises ValueError."""
    if record[: len(CUT_RECORD)] in (CUT_RECORD, CUT_RECORD.encode()):
        raise ValueError("it has more bytes than its queue may hold: its beginning is kept")
    try:
        value = from_json(record, allow_inf_nan=False)
    except ValueError as error:
        raise ValueError(f"it is not JSON ({error})") from None
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("type"), str)
        or "payload" not in value
    ):
        raise ValueError('it needs "type" (a text) and "payload"')
    unknown = [name for name in value if name not in ("type", "payload", "options")]
    if unknown:
        raise ValueError(f'it has {unknown[0][:64]!r} beside "type", "payload" and "options"')
    return value["type"], value["payload"], value.get("options")


def _without_instant(line: str) -> tuple[str, int | None]:
    head, found, instant = line.rpartition(_CREATED)
    if not found or not instant[:-1].isdecimal():
        return line, None
    return head + "}", int(instant[:-1])


def _line(values: Mapping[str, Any]) -> str:
    return json.dumps(values, separators=(",", ":")) + "\n"


@lru_cache(maxsize=256)
def _line_of_type(job_type: str) -> str:
    return _line({"type": job_type})


class _FirstLine(NamedTuple):
    """The values of the first line, without the instant."""

    type: str
    overrides: dict[str, Any]
    encryption: str
    by: str
    trace: str
    has_follow_ups: bool


@lru_cache(maxsize=256)
def _first_line(line: str) -> _FirstLine:
    """Jobs of one type share this line, so it is parsed once."""
    overrides = json.loads(line)
    if not isinstance(overrides, dict) or not isinstance(overrides.get("type"), str):
        raise ValueError("its first line names no type")  # noqa: TRY004 - the text is at fault
    encryption = overrides.pop("encryption", "")
    if not isinstance(encryption, str):
        raise ValueError("its encryption is no text")  # noqa: TRY004 - as above
    by, trace = str(overrides.pop(BY, "")), str(overrides.pop(TRACE, ""))
    follow_ups = bool(overrides.pop(FOLLOW_UPS, False))
    return _FirstLine(overrides.pop("type"), overrides, encryption, by, trace, follow_ups)
