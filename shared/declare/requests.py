"""Requests as pydantic models. They validate bodies and are the request schemas of the OpenAPI
document. What an option takes stands here, with the one message that every caller has of it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag, WrapValidator
from pydantic_core import PydanticCustomError

from ..errors import LONGEST_DELAY
from ..jobs.ids import OWN_ID, keep_child_id
from .idempotency import VISIBLE
from .key import WORD
from .policy import LARGEST_FACTOR, LONGEST_TIMEOUT, MOST_ATTEMPTS
from .request_model import Message, RequestModel, shown

MOST_JOBS_A_BODY = 1000
LONGEST_TYPE = 64
MOST_FOLLOW_UPS = 20
"""Of one job and one end. A job that needs more enqueues another one that enqueues them."""
MOST_LEVELS = 5
"""Follow-ups within follow-ups. Each level is text within the text of the one around it, whose
quotes and backslashes double its size."""
INSTANT = (
    "an ISO 8601 instant with its offset, from 1970 to 366 days ahead, e.g. "
    "2026-01-17T09:00:00+01:00"
)
LIST_OF_FOLLOW_UPS = f"a list of at most {MOST_FOLLOW_UPS} jobs"
PUBLIC_URL = "an https:// address of a public server, without a user name and without a port"
_BACKOFF = "a number of seconds, a list of one wait or more, or an object with type and delay"
_BY: dict[type, str] = {list: "as_list", dict: "as_object", str: "as_text"}


Seconds = Annotated[float, shown(minimum=0, maximum=LONGEST_DELAY), Message("a number of seconds")]
Timeout = Annotated[
    float, shown(exclusiveMinimum=0, maximum=LONGEST_TIMEOUT), Message("a number of seconds")
]
Attempts = Annotated[int, shown(minimum=1, maximum=MOST_ATTEMPTS), Message("a whole number")]
"""Of one job these three have the range that its job type and queue allow: overrides.py."""
Delay = Annotated[
    float, Field(ge=0, le=LONGEST_DELAY), Message(f"a number of seconds, 0 to {LONGEST_DELAY:.0f}")
]
Ttl = Annotated[
    float,
    Field(gt=0, le=LONGEST_DELAY),
    Message(f"a number of seconds, more than 0 and at most {LONGEST_DELAY:.0f}"),
]
Factor = Annotated[
    float, Field(ge=1, le=LARGEST_FACTOR), Message(f"a number from 1 to {LARGEST_FACTOR:.0f}")
]
Share = Annotated[float, Field(ge=0, le=1), Message("a number from 0 to 1")]
Word = Annotated[str, Message(WORD)]
Instant = Annotated[str, Field(max_length=64), shown(format="date-time"), Message(INSTANT)]
AnyPriority = Annotated[Literal["high", "normal", "low"], Message("high, normal or low")]


class Dedup(RequestModel):
    """At most one job stands for all that share this id. Mode "until_done" holds until that job
    ends; mode "window" holds for `ttl` seconds."""

    id: Word | None = Field(None, description="Absent: that of equal payloads of the type.")
    ttl: Ttl | None = Field(None, description="Seconds; for mode window.")
    mode: Annotated[Literal["until_done", "window"], Message("until_done or window")] | None = (
        Field(None, description="Absent: window where there is a ttl, else until_done.")
    )


class Backoff(RequestModel):
    """How long to wait after each failed attempt, in seconds."""

    type: Annotated[Literal["fixed", "exponential"], Message("fixed or exponential")]
    delay: Seconds = Field(description="The first wait.")
    factor: Factor | None = Field(None, description="exponential only; 2 if absent.")
    cap: Seconds | None = Field(None, description="The longest wait.")
    jitter: Share | None = Field(None, description="Share of the wait to vary.")


AnyBackoff: TypeAlias = Annotated[
    Annotated[
        list[Seconds],
        Field(min_length=1),
        shown(maxItems=MOST_ATTEMPTS - 1),
        Message(_BACKOFF),
        Tag("as_list"),
    ]
    | Annotated[Backoff, Tag("as_object")]
    | Annotated[Seconds, Message(_BACKOFF), Tag("as_number")],
    Discriminator(lambda value: _tag(value, ("as_list", "as_object"), "as_number")),
]
AnyDedup: TypeAlias = Annotated[
    Annotated[Word, Tag("as_text")] | Annotated[Dedup, Tag("as_object")],
    Discriminator(lambda value: _tag(value, ("as_object",), "as_text")),
]
TAGS = frozenset({"as_list", "as_object", "as_number", "as_text"})
"""Names of alternatives, which stand in the paths of pydantic's errors."""


def _tag(value: object, known: tuple[str, ...], other: str) -> str:
    tag = _BY.get(type(value), other)
    return tag if tag in known else other


def _check_list(value: object) -> object:
    """Only a list of a length that is allowed is looked into."""
    if not isinstance(value, list) or len(value) > MOST_FOLLOW_UPS:
        raise PydanticCustomError("misfit", LIST_OF_FOLLOW_UPS)
    return value


ListOfFollowUps: TypeAlias = Annotated[
    "list[FollowUpRequest]", shown(maxItems=MOST_FOLLOW_UPS), BeforeValidator(_check_list)
]


class EnqueueOptions(RequestModel):
    """Options of one job; every one may be left out. Times are seconds. A job may have fewer
    attempts and a shorter timeout than its job type; more only where the queue declares
    `overrides`."""

    delay: Delay | None = Field(None, description="Seconds before it may run.")
    run_at: Instant | None = Field(
        None, description="Not before this instant: ISO 8601 with an offset."
    )
    priority: AnyPriority | None = None
    attempts: Attempts | None = Field(None, description="Tries, the first included.")
    backoff: AnyBackoff | None = Field(
        None, description="A policy, a list of waits, or one number: always that wait."
    )
    timeout: Timeout | None = Field(None, description="Seconds one try may take.")
    dedup: AnyDedup | None = Field(None, description="An object, or its id alone.")
    dedup_ttl: Ttl | None = Field(None, description="The ttl of dedup, in seconds.")
    key: Word | None = Field(None, description="Whose job it is, for limits by user or tenant.")
    job_id: Annotated[str, WrapValidator(keep_child_id), Message(OWN_ID)] | None = Field(
        None, description="Your own id: a repeat is the same job."
    )
    idempotency_key: Annotated[str, Message(VISIBLE)] | None = Field(
        None, description="A repeat of this request has the same answer for 24 hours."
    )
    then: ListOfFollowUps | None = Field(
        None, description="Jobs to enqueue when this one completes."
    )
    on_dead: ListOfFollowUps | None = Field(None, description="Jobs to enqueue when this one dies.")
    callback: Annotated[str, shown(maxLength=2048), Message(PUBLIC_URL)] | None = Field(
        None, description="An https URL: a signed webhook tells of either end."
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
