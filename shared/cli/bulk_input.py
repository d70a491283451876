"""Payloads from the command line: one JSON text, a file of lines, or standard input. Each becomes a
job that is checked against its job type; nothing is stored here."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..declare.parse import FindQueue
    from ..declare.queue import Queue
    from ..jobs.job import Job


@dataclass(frozen=True, slots=True)
class Line:
    """One payload and its line number, 0 for the one of the command line."""

    number: int
    text: str


@dataclass(slots=True)
class BulkJobs:
    """The jobs of all valid lines, and one sentence for each invalid line."""

    jobs: list[Job] = field(default_factory=list)
    problems: dict[int, str] = field(default_factory=dict)


def read_lines(source: str) -> list[Line]:
    """The payloads of `source`: JSON text (line 0), `@file`, or `-` for standard input.

    A file or stdin holds one JSON document, or one for each line (NDJSON; lines end with LF or CR
    LF). Raises InvalidPayload for an unreadable file.
    """
    if source != "-" and not source.startswith("@"):
        return [Line(0, source)]
    text = _read(source)
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        lines = text.split("\n")  # and no other line end: texts in JSON may hold U+2028 as it is
        return [Line(n, line) for n, line in enumerate(lines, start=1) if line.strip()]
    return [Line(1, text)]


def parse_lines(
    lines: list[Line],
    queue: Queue,
    job_type: str,
    options: Mapping[str, Any],
    find_queue: FindQueue,
) -> BulkJobs:
    """Every line as a job, or the reason why it is invalid. `options` are those of the HTTP API.

    Raises UnknownType, InvalidRequest for a type that is too long, and InvalidOption.
    """
    from ..declare.parse import parse_job
    from ..errors import InvalidPayload, PayloadTooLarge

    bulk = BulkJobs()
    for line in lines:
        try:
            request = {
                "type": job_type,
                "payload": _parse(line.text),
                "options": _for_line(options, line.number),
            }
            bulk.jobs.append(parse_job(queue, request, find_queue=find_queue))
        except (InvalidPayload, PayloadTooLarge) as error:
            bulk.problems[line.number] = str(error)
    return bulk


def _for_line(options: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The options of one line: each line of a file has an id and a key of its own, also where the
    file has one line so far, so that it can grow and be sent again."""
    own = {name: f"{options[name]}-{number}" for name in ("job_id", "idempotency_key")
           if number and name in options}  # fmt: skip
    return {**options, **own}


def _parse(text: str) -> Any:
    from pydantic_core import from_json

    from ..errors import InvalidPayload

    try:
        return from_json(text.encode("utf-8", "surrogateescape"), allow_inf_nan=False)
    except ValueError as error:
        raise InvalidPayload(f"the payload is not JSON: {str(error)[:200]}") from None


def _read(source: str) -> str:
    from ..errors import InvalidPayload

    try:
        raw = sys.stdin.buffer.read() if source == "-" else Path(source[1:]).read_bytes()
        return raw.decode("utf-8-sig")  # read as text, a lone CR would count as a line end
    except UnicodeDecodeError:
        raise InvalidPayload(f"{source} is not UTF-8 text") from None
    except OSError as error:
        raise InvalidPayload(f"can't read {source[1:]!r}: {error.strerror}") from None
