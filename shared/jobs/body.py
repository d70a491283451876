r"""A job's body: one line of JSON (type and overrides), `\n`, the payload as it was enqueued.

Written once and never again, so a retry sees the original bytes. Scripts don't read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic_core import from_json


class Body(NamedTuple):
    """A decoded body. `overrides`: the job's own numbers in place of its queue's (attempts,
    backoff, timeout). `encryption`: the label of the key with which the payload is encrypted, ""
    if it is plain."""

    type: str
    overrides: Mapping[str, Any]
    payload: str | bytes
    encryption: str = ""


def encode_body(job_type: str, overrides: Mapping[str, Any], payload: str) -> str:
    """The text that the store keeps."""
    return encode_first_line(job_type, overrides) + payload


def encode_first_line(job_type: str, values: Mapping[str, Any]) -> str:
    """The first line of a body, with its newline."""
    return _line({"type": job_type, **values}) if values else _line_of_type(job_type)


def decode_body(body: str | bytes) -> Body:
    """The parts of a body. Raises ValueError."""
    if isinstance(body, bytes):
        raise ValueError("it is not UTF-8")  # noqa: TRY004 - bytes mean bad text, not a wrong type
    line, newline, payload = body.partition("\n")
    if not newline:
        raise ValueError("it has no payload")
    name, overrides, encryption = _first_line(line)
    return Body(name, overrides, payload, encryption)


def is_encrypted(body: str | bytes) -> bool:
    """True if the payload of a body is encrypted. Reads its first line only."""
    if isinstance(body, bytes):
        return False
    try:
        return bool(_first_line(body[: body.index("\n")])[2])
    except ValueError:
        return False


def decode_foreign(record: str | bytes) -> tuple[str, Any, Any]:
    """Type, payload and options of an inbox record, `{"type", "payload", "options"?}`, as its
    producer wrote it. Raises ValueError."""
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


def _line(values: Mapping[str, Any]) -> str:
    return json.dumps(values, separators=(",", ":")) + "\n"


@lru_cache(maxsize=256)
def _line_of_type(job_type: str) -> str:
    return _line({"type": job_type})


@lru_cache(maxsize=256)
def _first_line(line: str) -> tuple[str, dict[str, Any], str]:
    """Type, overrides and encryption. Jobs of one type share this line, so it is parsed once."""
    overrides = json.loads(line)
    if not isinstance(overrides, dict) or not isinstance(overrides.get("type"), str):
        raise ValueError("its first line names no type")  # noqa: TRY004 - the text is at fault
    encryption = overrides.pop("encryption", "")
    if not isinstance(encryption, str):
        raise ValueError("its encryption is no text")  # noqa: TRY004 - as above
    return overrides.pop("type"), overrides, encryption
