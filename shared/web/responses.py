"""The base of response models, and the models that several routes share. A route's own models stand
beside it.

The OpenAPI document describes the same models, so the two can't differ.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

LOCKED = "Why the payload, the result and the texts of errors of an encrypted job are not shown."


class ResponseModel(BaseModel):
    """Built when first used: a function that starts cold pays only for what it answers."""

    model_config = ConfigDict(defer_build=True, frozen=True)


class CamelCaseResponse(ResponseModel):
    """Names its fields as JavaScript does."""

    model_config = ConfigDict(
        defer_build=True, frozen=True, alias_generator=to_camel, validate_by_name=True
    )


class FieldErrorResponse(ResponseModel):
    """One field that does not fit."""

    field: str
    message: str


class ProblemResponse(ResponseModel):
    """An error (RFC 9457). `type` is stable; `errors` names the fields at fault."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="allow", title="Problem")
    type: str = Field(json_schema_extra={"format": "uri-reference"})
    title: str
    status: int
    detail: str
    errors: list[FieldErrorResponse] = []


class ErrorResponse(ResponseModel):
    """An exception. `where`: the innermost frame of the application's own code."""

    type: str
    message: str
    where: str | None
    stack: list[str] = Field(
        description="The application's own frames, `file:line in function`, the outermost first."
    )
    notes: list[str]


class JobErrorResponse(ErrorResponse):
    """A failed attempt. `causes`: what the error was raised from; `others`: of its group."""

    at: datetime | None
    attempt: int | None
    causes: list[ErrorResponse]
    others: list[ErrorResponse]
