"""A job to enqueue, and what its enqueue answers."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ..errors import IdempotencyMismatch, KeyLimited, NotStored, QueueFull
from .body import BY, TRACE, encode_body
from .ids import new_id

Priority = Literal["high", "normal", "low"]
PRIORITIES: tuple[Priority, ...] = ("high", "normal", "low")

NO_FINGERPRINT = "-"
REASONS: Mapping[type[NotStored], str] = {
    QueueFull: "the queue is full",
    IdempotencyMismatch: "their idempotency keys were used before, with other requests",
    KeyLimited: "their keys have used up their rate",
}
"""Why jobs of an enqueue of several were refused, the reason first that concerns all."""
NAMES_FULL = (
    "the queue holds as many names (idempotency keys, deduplication) as its entry takes; enqueue "
    "without them, give them a shorter ttl, or use `job_id`"
)
"""Why a queue is full for those jobs only that bring names."""


class Guard(NamedTuple):
    """A name that at most one job may hold. Deduplication: until the job ends or a time to live
    passes. Idempotency key: another body's fingerprint under the same name is a mismatch. `is_own`:
    it is the engine's, of a job that has an id of its own: no lack of room for names refuses it."""

    name: str
    ttl_ms: int = 0
    fingerprint: str = NO_FINGERPRINT
    is_own: bool = False


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
    it. `refusal`: why the job was not stored; None where it was. `nudge`: its request put the first
    job in line, so a drain is to be called; only the first answer says so."""

    id: str
    state: str
    duplicate: bool
    refusal: NotStored | None = None
    nudge: bool = False

    @property
    def stored(self) -> bool:
        """False where the job was refused."""
        return self.refusal is None


def one_stored(answer: EnqueueAnswer) -> EnqueueAnswer:
    """The answer. Raises its refusal: QueueFull, IdempotencyMismatch or KeyLimited."""
    if answer.refusal:
        raise answer.refusal
    return answer


class RefusalGroup(NamedTuple):
    """The jobs of one enqueue that were refused for one reason. `error`: the refusal of the one
    that may come again first."""

    error: NotStored
    reason: str
    ids: list[str]


def group_refusals(answers: Sequence[EnqueueAnswer]) -> list[RefusalGroup]:
    """The refused jobs by reason, in the order of REASONS."""
    refused = [(answer.id, answer.refusal) for answer in answers if answer.refusal]
    groups = []
    for kind, reason in REASONS.items():
        some = [(job_id, error) for job_id, error in refused if isinstance(error, kind)]
        if some:
            of_names = any(str(error) == NAMES_FULL for _, error in some)
            first = min((error for _, error in some), key=lambda error: error.retry_after or 0.0)
            ids = [job_id for job_id, _ in some]
            groups.append(RefusalGroup(first, NAMES_FULL if of_names else reason, ids))
    return groups


def all_stored(answers: list[EnqueueAnswer]) -> list[EnqueueAnswer]:
    """The answers. Raises QueueFull, IdempotencyMismatch or KeyLimited, which carry them, where a
    job was not stored: a caller that reads no answers would lose it without notice."""
    for error, reason, ids in group_refusals(answers):
        message = f"{len(ids)} of {len(answers)} jobs not stored: {reason}"
        if isinstance(error, KeyLimited):
            raise KeyLimited(error.retry_after, message, answers)
        raise type(error)(message, answers)
    return answers
