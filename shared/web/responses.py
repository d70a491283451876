"""Responses as pydantic models. The OpenAPI document describes the same models, so the two can't
differ."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from starlette.responses import Response

from .problems import SAFE_HEADERS


def json_response(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON answer."""
    return Response(
        to_json(value, inf_nan_mode="null"),
        status_code=status,
        headers={**SAFE_HEADERS, **(headers or {})},
        media_type="application/json",
    )


class ResponseModel(BaseModel):
    """Built when first used: a function that starts cold pays only for what it answers."""

    model_config = ConfigDict(defer_build=True, frozen=True)


class ProblemResponse(ResponseModel):
    """An error (RFC 9457). `type` is stable; `errors` names the fields at fault."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="allow", title="Problem")
    type: str = Field(json_schema_extra={"format": "uri-reference"})
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


class FieldError(ResponseModel):
    """One field that does not fit."""

    field: str
    message: str


class Accepted(ResponseModel):
    """The job that now stands for what was enqueued. `duplicate`: it was there before."""

    id: str
    state: str
    duplicate: bool


class Failed(ResponseModel):
    """One job of many that was not stored."""

    error: ProblemResponse


class AcceptedMany(ResponseModel):
    """One answer a job, in order."""

    jobs: list[Accepted | Failed]


class JobError(ResponseModel):
    """A failed attempt."""

    at: datetime | None
    attempt: int | None
    type: str
    message: str
    where: str | None


class ExplanationResponse(ResponseModel):
    """Why a job does not run now. `until` where it is known."""

    code: str
    detail: str
    until: datetime | None = None


class JobResponse(ResponseModel):
    """One job as it stands."""

    id: str
    queue: str
    type: str | None
    state: str
    priority: str
    key: str | None
    attempts: int
    crashes: int
    redrives: int
    progress: float | None
    note: str | None
    created_at: datetime | None = Field(description="Read from the id; null for a caller's own.")
    due_at: datetime | None
    lease_until: datetime | None
    ended_at: datetime | None
    cancel_requested: bool = Field(description="It runs, and its cancellation is requested.")
    result: Any
    result_error: str | None
    error: JobError | None = Field(description="The last one.")
    errors: list[JobError]
    explanation: ExplanationResponse | None


class Cancelled(ResponseModel):
    """`cancelled`, or still `active`: then its cancellation is requested."""

    id: str
    state: str


class DeadLetter(ResponseModel):
    """A job that will not run again by itself."""

    id: str
    queue: str
    type: str | None
    died_at: datetime | None
    attempts: int
    crashes: int
    redrives: int
    reason: str | None
    error: JobError | None
    errors: list[JobError]


class DeadLetterDetail(DeadLetter):
    """One dead letter with its payload, which operators may see."""

    payload: Any = Field(description="null below the role operator")
    payload_text: str | None = Field(description="The raw payload where it is not JSON.")


class DeadLetters(ResponseModel):
    """A page, newest first. There is more while `next` is not null, even if a page is short."""

    dead_letters: list[DeadLetter]
    next: str | None


class Redriven(ResponseModel):
    """Did this call bring it back to work? Its state now, if not."""

    id: str
    redriven: bool
    state: str | None = None


class RedrivenMany(ResponseModel):
    """One verdict a job. There is more to redrive while `next` is not null."""

    jobs: list[Redriven]
    redriven: int
    next: str | None


class Deleted(ResponseModel):
    """Gone for good."""

    id: str
    deleted: bool


class Paused(ResponseModel):
    """The switch as it stands now, and as it was."""

    queue: str
    paused: bool
    was_paused: bool


class Purged(ResponseModel):
    """How many waiting and delayed jobs went."""

    queue: str
    purged: int
