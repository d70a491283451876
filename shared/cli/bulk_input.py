"""Payloads as a person gives them: one JSON text, a file of lines, or standard input. Each is
checked against its job type's model; nothing is stored deployment."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..declare.queue import Queue
    from ..jobs.job import Job


@dataclass(frozen=True, slots=True)
class Line:
    """One payload and where it stood, 0 when it was given on the command line."""

    number: int
    text: str


@dataclass(slots=True)
class Checked:
    """What became of all lines: jobs that may be sent, and a sentence per line that may not."""

    jobs: list[Job] = field(default_factory=list)
    problems: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wish:
    """The options of a call, the same for each of its jobs."""

    delay: float | None = None
    run_at: datetime | None = None
    priority: str | None = None
    attempts: int | None = None
    timeout: float | None = None
    key: str | None = None
    dedup: str | None = None
    dedup_ttl: float | None = None
    job_id: str | None = None

    def options(self, line: int) -> dict[str, Any]:
        """As the API takes them. `line` tells the jobs of one call apart, 0 where there is one."""
        given: dict[str, Any] = {
            "delay": self.delay,
            "run_at": self._instant(),
            "priority": self.priority,
            "attempts": self.attempts,
            "timeout": self.timeout,
            "key": self.key,
            "dedup": _given({"id": self.dedup, "ttl": self.dedup_ttl}),
            "job_id": f"{self.job_id}-{line}" if self.job_id and line else self.job_id,
        }
        return _given(given) or {}

    def _instant(self) -> str | None:
        if self.run_at is None:
            return None
        zoned = self.run_at if self.run_at.tzinfo else self.run_at.replace(tzinfo=UTC)
        return zoned.isoformat()


def read_payloads(given: str) -> list[Line]:
    """JSON as it stands, `@file`, or `-` for standard input. A file or stdin holds one JSON
    document, or one a line (NDJSON). Raises InvalidPayload when the file can't be read."""
    if given != "-" and not given.startswith("@"):
        return [Line(0, given)]
    text = _read(given)
    try:
        json.loads(text)
    except ValueError:
        lines = text.splitlines()
        return [Line(n, line) for n, line in enumerate(lines, start=1) if line.strip()]
    return [Line(1, text)]


def check(lines: list[Line], queue: Queue, job_type: str, wish: Wish) -> Checked:
    """Every line as a job, or with the reason why it can't be one.

    What the HTTP API accepts is accepted here, by the same code. Raises UnknownType, InvalidOption.
    """
    from ..declare.parse import parse_job
    from ..errors import InvalidOption, InvalidPayload, PayloadTooLarge
    from ..web.body import parse
    from ..web.problems import Problem

    checked = Checked()
    for line in lines:
        try:
            payload = parse(line.text.encode("utf-8", "surrogateescape"))
        except Problem as problem:
            checked.problems[line.number] = problem.detail
            continue
        number = line.number if len(lines) > 1 else 0
        asked = {"type": job_type, "payload": payload, "options": wish.options(number)}
        try:
            checked.jobs.append(parse_job(queue, asked))
        except (InvalidPayload, PayloadTooLarge) as error:
            checked.problems[line.number] = str(error)
        except Problem as problem:  # the payload's own faults have errors of their own
            raise InvalidOption(problem.detail, "options") from None
    return checked


def _read(given: str) -> str:
    from ..errors import InvalidPayload

    try:
        return sys.stdin.read() if given == "-" else Path(given[1:]).read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidPayload(f"{given} is not UTF-8 text") from None
    except OSError as error:
        raise InvalidPayload(f"can't read {given[1:]!r}: {error.strerror}") from None


def _given(options: dict[str, Any]) -> dict[str, Any] | None:
    return {name: value for name, value in options.items() if value is not None} or None
