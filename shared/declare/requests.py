"""Requests as pydantic models. They validate bodies and are the request schemas of the OpenAPI
document. An unknown field is an error that names it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, WrapValidator

from ..errors import LONGEST_DELAY
from ..jobs.ids import keep_child_id
from .policy import LONGEST_TIMEOUT, MOST_ATTEMPTS

MOST_JOBS_A_BODY = 1000
LONGEST_TYPE = 64
MOST_FOLLOW_UPS = 20
MOST_LEVELS = 5
"""Follow-ups within follow-ups. Each level is text within the text of the one around it, whose
quotes and backslashes double its size."""
"""Of one job and one end. A job that needs more enqueues another one that enqueues them."""
LONGEST_WAITS = MOST_ATTEMPTS - 1
_BY: dict[type, str] = {list: "as_list", dict: "as_object", str: "as_text"}


class RequestModel(BaseModel):
    """Base of requests: JSON's own types, no coercion, no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)


class Dedup(RequestModel):
    """At most one job stands for all that share this id. Mode "until_done" holds until that job
    ends; mode "window" holds for `ttl` seconds."""

    id: str | None = Field(None, description="Absent: that of equal payloads of the type.")
    ttl: float | None = Field(None, gt=0, description="Seconds; for mode window.")
    mode: Literal["until_done", "window"] | None = Field(
        None, description="Absent: window where there is a ttl, else until_done."
    )


class Backoff(RequestModel):
    """How long to wait after each failed attempt, in seconds."""

    type: Literal["fixed", "exponential"]
    delay: float = Field(ge=0, le=LONGEST_DELAY, description="The first wait.")
    factor: float | None = Field(None, ge=1, le=1000, description="exponential only; 2 if absent.")
    cap: float | None = Field(None, ge=0, le=LONGEST_DELAY, description="The longest wait.")
    jitter: float | None = Field(None, ge=0, le=1, description="Share of the wait to vary.")


Seconds = Annotated[float, Field(ge=0, le=LONGEST_DELAY)]
AnyBackoff: TypeAlias = Annotated[
    Annotated[list[Seconds], Field(min_length=1, max_length=LONGEST_WAITS), Tag("as_list")]
    | Annotated[Backoff, Tag("as_object")]
    | Annotated[Seconds, Tag("as_number")],
    Discriminator(lambda value: _tag(value, ("as_list", "as_object"), "as_number")),
]
AnyDedup: TypeAlias = Annotated[
    Annotated[str, Tag("as_text")] | Annotated[Dedup, Tag("as_object")],
    Discriminator(lambda value: _tag(value, ("as_object",), "as_text")),
]
TAGS = frozenset({"as_list", "as_object", "as_number", "as_text"})
"""Names of alternatives, which stand in the paths of pydantic's errors."""


def _tag(value: object, known: tuple[str, ...], other: str) -> str:
    tag = _BY.get(type(value), other)
    return tag if tag in known else other


class EnqueueOptions(RequestModel):
    """Options of one job; every one may be left out. Times are seconds. A job may have fewer
    attempts and a shorter timeout than its job type; more only where the queue declares
    `overrides`."""

    delay: float | None = Field(None, description="Seconds before it may run.")
    run_at: str | None = Field(
        None,
        max_length=64,
        description="Not before this instant: ISO 8601 with an offset.",
        json_schema_extra={"format": "date-time"},
    )
    priority: Literal["high", "normal", "low"] | None = None
    attempts: int | None = Field(
        None, ge=1, le=MOST_ATTEMPTS, description="Tries, the first included."
    )
    backoff: AnyBackoff | None = Field(
        None, description="A policy, a list of waits, or one number: always that wait."
    )
    timeout: float | None = Field(
        None, gt=0, le=LONGEST_TIMEOUT, description="Seconds one try may take."
    )
    dedup: AnyDedup | None = Field(None, description="An object, or its id alone.")
    dedup_ttl: float | None = Field(None, gt=0, description="The ttl of dedup, in seconds.")
    key: str | None = Field(None, description="Whose job it is, for limits by user or tenant.")
    job_id: Annotated[str, WrapValidator(keep_child_id)] | None = Field(
        None, description="Your own id: a repeat is the same job."
    )
    idempotency_key: str | None = Field(
        None, description="A repeat of this request has the same answer for 24 hours."
    )
    then: list[FollowUpRequest] | None = Field(
        None, max_length=MOST_FOLLOW_UPS, description="Jobs to enqueue when this one completes."
    )
    on_dead: list[FollowUpRequest] | None = Field(
        None, max_length=MOST_FOLLOW_UPS, description="Jobs to enqueue when this one dies."
    )
    callback: str | None = Field(
        None, max_length=2048, description="An https URL: a signed webhook tells of either end."
    )


class EnqueueOne(RequestModel):
    """One job."""

    type: str = Field(min_length=1, max_length=LONGEST_TYPE)
    payload: Any = Field(description="What the job type's own model takes.")
    options: EnqueueOptions | None = None


class FollowUpRequest(EnqueueOne):
    """A job to enqueue when another one ends. Its delay counts from then."""

    queue: str | None = Field(None, max_length=64, description="Absent: that of the other job.")


class EnqueueMany(RequestModel):
    """Many jobs; each is answered by itself, in order."""

    jobs: list[EnqueueOne] = Field(max_length=MOST_JOBS_A_BODY)


class DeadLetterFilter(RequestModel):
    """A filter of dead letters; a field that is left out does not matter."""

    queue: str | None = Field(None, max_length=64)
    type: str | None = Field(None, max_length=LONGEST_TYPE)
    error: str | None = Field(None, max_length=200, description="Text in the last error.")


class Redrive(RequestModel):
    """Base of the redrives of many. By filter at most `most` a request; the answer's `next` is the
    `cursor` of the next one."""

    NAMES: ClassVar[str]
    """The field that names what is redriven; the other way is `filter`."""
    filter: RequestModel | None = None
    most: int = Field(100, ge=1, le=MOST_JOBS_A_BODY)
    cursor: str | None = Field(None, max_length=400)


class RedriveMany(Redrive):
    """Dead letters by id or by filter."""

    NAMES = "ids"
    ids: list[str] | None = Field(None, max_length=MOST_JOBS_A_BODY)
    filter: DeadLetterFilter | None = None
