"""A job to enqueue, and what its enqueue answers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ..errors import IdempotencyMismatch, KeyLimited, QueueFull
from .body import BY, TRACE, encode_body
from .ids import new_id

Priority = Literal["high", "normal", "low"]
PRIORITIES: tuple[Priority, ...] = ("high", "normal", "low")

NO_FINGERPRINT = "-"


class Guard(NamedTuple):
    """A name that at most one job may hold. Deduplication: until the job ends or a time to live
    passes. Idempotency key: another body's fingerprint under the same name is a mismatch."""

    name: str
    ttl_ms: int = 0
    fingerprint: str = NO_FINGERPRINT


def _trace() -> str:
    """That of the span which is current here. Without OpenTelemetry it costs a look."""
    if "opentelemetry.trace" not in sys.modules:
        return ""
    from .trace import current_traceparent  # noqa: PLC0415 - as above

    return current_traceparent()


@dataclass(frozen=True, slots=True)
class Job:
    """One job to enqueue. `payload` is JSON text, with the line of its follow-ups behind it if it
    has any; `follows_death`: some are enqueued when it dies. `queue` is the one that it was made
    for ("": any). Times are milliseconds; 0 means now."""

    type: str
    payload: str = field(repr=False)
    id: str = field(default_factory=new_id)
    priority: Priority = "normal"
    delay_ms: int = 0
    run_at_ms: int = 0
    key: str = "-"
    dedup: Guard | None = None
    idempotency: Guard | None = None
    queue: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """The job's own numbers in place of its job type's: attempts, backoff, timeout."""
    created_ms: int = 0
    """When it was created, by this machine's clock, where the id does not tell. Only shown."""
    follows_death: bool = False
    by: str = ""
    """The subject of the stored token that enqueues it; "" for any other way."""
    trace: str = field(default_factory=_trace)
    """The `traceparent` of its enqueue; "" without one."""

    def values(self) -> Mapping[str, Any]:
        """What the first line of its body has beside its type."""
        if not (self.by or self.trace):
            return self.overrides
        own = {BY: self.by, TRACE: self.trace}
        return {**{name: value for name, value in own.items() if value}, **self.overrides}

    def body(self) -> str:
        """The text that the store keeps."""
        return encode_body(self.type, self.values(), self.payload, self.created_ms)


class EnqueueAnswer(NamedTuple):
    """The answer to one `Job` of an enqueue. `id` is the public id of the job that now stands for
    it. `mismatch`, `full`, `limited_for`: the job was not stored; its key has a token in so many
    seconds. `full_of_names`: the queue is full of idempotency keys and names. `nudge`:
    its request put the first job in line, so a drain is to be called; only the first answer says
    so."""

    id: str
    state: str
    duplicate: bool
    mismatch: bool = False
    full: bool = False
    nudge: bool = False
    limited_for: float | None = None
    full_of_names: bool = False

    @property
    def stored(self) -> bool:
        """False where the job was refused."""
        return not (self.mismatch or self.full or self.limited_for is not None)


NAMES_FULL = (
    "the queue holds as many names (idempotency keys, deduplication) as its entry takes; enqueue "
    "without them, give them a shorter ttl, or use `job_id`"
)


def one_stored(answer: EnqueueAnswer) -> EnqueueAnswer:
    """The answer. Raises IdempotencyMismatch, QueueFull and KeyLimited."""
    if answer.mismatch:
        raise IdempotencyMismatch
    if answer.full:
        raise QueueFull(NAMES_FULL if answer.full_of_names else None)
    if answer.limited_for is not None:
        raise KeyLimited(answer.limited_for)
    return answer


def all_stored(answers: list[EnqueueAnswer]) -> list[EnqueueAnswer]:
    """The answers. Raises QueueFull, IdempotencyMismatch or KeyLimited, which carry them, where a
    job was not stored: a caller that reads no answers would lose it without notice."""
    full = sum(answer.full for answer in answers)
    if full:
        why = NAMES_FULL if any(one.full_of_names for one in answers) else "the queue is full"
        raise QueueFull(f"{full} of {len(answers)} jobs not stored: {why}", answers)
    mismatches = sum(answer.mismatch for answer in answers)
    if mismatches:
        raise IdempotencyMismatch(
            f"{mismatches} of {len(answers)} jobs not stored: their idempotency keys were used "
            "before, with other requests",
            answers,
        )
    waits = [answer.limited_for for answer in answers if answer.limited_for is not None]
    if waits:
        raise KeyLimited(
            min(waits),
            f"{len(waits)} of {len(answers)} jobs not stored: their keys have used up their rate",
            answers,
        )
    return answers
