"""Follow-ups: the jobs that are enqueued when another one ends, as its body keeps them.

The body of a job has them as a line behind its payload, so what is done to a payload (it is checked
for its size, encrypted, never parsed by scripts) is done to them, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from pydantic_core import from_json, to_json

from .ids import ChildId
from .job import Guard, Job, Priority

Event = Literal["completed", "dead"]
"""An end that has follow-ups. A cancelled job has none."""
CALLBACK = "tidegate.callback"
"""The job type of callbacks."""
GUARD_MS = 3_600_000
"""How long a follow-up is remembered apart from its record, in case the record is gone before its
parent has ended."""


class FollowUp(NamedTuple):
    """A job to enqueue later on `queue`. `delay_ms` counts from the parent's end."""

    queue: str
    type: str
    payload: str
    overrides: Mapping[str, Any] = MappingProxyType({})
    priority: Priority = "normal"
    key: str = "-"
    delay_ms: int = 0
    run_at_ms: int = 0
    follows_death: bool = False

    @classmethod
    def of(cls, job: Job) -> FollowUp:
        """The follow-up that a job value describes. Its id is left out."""
        return cls(
            job.queue, job.type, job.payload, job.overrides, job.priority, job.key,
            job.delay_ms, job.run_at_ms, job.follows_death,
        )  # fmt: skip

    def job(self, job_id: str, created_ms: int, by: str, trace: str) -> Job:
        """The job to enqueue. `created_ms`: the instant of the end that it follows. `by`: the
        subject of the stored token that asked for it, `trace`: the `traceparent` of its parent, or
        ""."""
        return Job(
            queue=self.queue, type=self.type, payload=self.payload, overrides=self.overrides,
            priority=self.priority, key=self.key, delay_ms=self.delay_ms,
            run_at_ms=self.run_at_ms, follows_death=self.follows_death,
            id=job_id, created_ms=created_ms, by=by, trace=trace,
            idempotency=Guard(f"follow-up:{job_id}", GUARD_MS, is_own=True),
        )  # fmt: skip


class FollowUps(NamedTuple):
    """What a job's enqueue asked for. `callback`: the URL of a webhook for either end."""

    then: Sequence[FollowUp] = ()
    on_dead: Sequence[FollowUp] = ()
    callback: str | None = None

    def of(self, event: Event) -> Sequence[FollowUp]:
        """Those of this end, without the webhook."""
        return self.then if event == "completed" else self.on_dead

    @property
    def follow_death(self) -> bool:
        """True if the death of the job has one, the webhook included."""
        return bool(self.on_dead) or self.callback is not None

    @property
    def levels(self) -> int:
        """How deep they are nested: 1 where no follow-up has follow-ups of its own. Raises
        ValueError, TypeError and AttributeError as `read_follow_ups` does."""
        lines = {one.payload.partition("\n")[2] for one in (*self.then, *self.on_dead)}
        return 1 + max((read_follow_ups(line).levels for line in lines if line), default=0)

    def line(self) -> str:
        """Their text in a body; "" where there are none."""
        values: dict[str, Any] = {"then": self.then, "on_dead": self.on_dead}
        values = {name: value for name, value in values.items() if value}
        if self.callback is not None:
            values["callback"] = self.callback
        return to_json(values).decode() if values else ""


NO_FOLLOW_UPS = FollowUps()


def read_follow_ups(line: str) -> FollowUps:
    """The inverse of `FollowUps.line`. Raises ValueError, TypeError and AttributeError where it is
    damaged."""
    if not line:
        return NO_FOLLOW_UPS
    values = from_json(line)
    then, on_dead = values.get("then", ()), values.get("on_dead", ())
    return FollowUps(
        [FollowUp(*one) for one in then],
        [FollowUp(*one) for one in on_dead],
        values.get("callback"),
    )


def follow_up_id(parent: str, end: str, name: str) -> ChildId:
    """The id of the follow-up `name` of a job's end: equal whenever the same end is handled again,
    and another one for the next end of a redriven job. `parent`: its public id; `end`: the mark
    under which the end was decided."""
    digest = hashlib.sha256(f"{parent}\n{end}\n{name}".encode()).hexdigest()
    return ChildId(f"~f{digest[:40]}")
