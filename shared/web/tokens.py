"""Stored tokens over HTTP: list, create, revoke, rotate."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeVar

from pydantic import Field, ValidationError
from starlette.responses import Response

from ..access.describe import describe_new, describe_token
from ..access.rights import Allowance
from ..access.tokens import (
    LEAST_LIFE,
    LONGEST_LIFE,
    LONGEST_NAME,
    MOST,
    OVERLAP,
    Tokens,
    check_types,
    rights_of,
)
from ..declare.field_errors import field_errors
from ..declare.request_model import RequestModel, shown
from ..errors import InvalidRequest
from .body import json_response, read_object
from .call import Call
from .responses import ResponseModel

M = TypeVar("M", bound=RequestModel)


class CreateToken(RequestModel):
    """A token to make. At least a role or a right."""

    # Bounds are only shown: `Tokens` checks them for every caller.

    name: Annotated[str, shown(minLength=1, maxLength=LONGEST_NAME)]
    roles: list[str] = Field([], max_length=20)
    rights: list[str] = Field([], max_length=20)
    queues: list[str] | None = Field(
        None, min_length=1, max_length=100, description="null: all of them."
    )
    types: list[str] | None = Field(
        None, min_length=1, max_length=100, description="Job types; null: all of them."
    )
    keys: list[str] | None = Field(
        None, min_length=1, max_length=100, description="Keys of jobs; null: any or none."
    )
    requests_a_minute: (
        Annotated[int, shown(minimum=1, maximum=MOST["requests_a_minute"])] | None
    ) = Field(None, description="null: any number.")
    jobs_a_day: Annotated[int, shown(minimum=1, maximum=MOST["jobs_a_day"])] | None = Field(
        None, description="To store, by UTC; null: any number."
    )
    expires_in: Annotated[float, shown(minimum=LEAST_LIFE, maximum=LONGEST_LIFE)] | None = Field(
        None, description="Seconds; null: it does not expire."
    )


class RotateToken(RequestModel):
    """How long the old token goes on working."""

    overlap: Annotated[float, shown(minimum=0, maximum=LONGEST_LIFE)] = Field(
        OVERLAP, description="Seconds."
    )


class TokenResponse(ResponseModel):
    """One token, without its text."""

    id: str
    subject: str = Field(description="The id of the first token of its rotations.")
    name: str
    role: str | None = Field(description="The role with exactly its rights.")
    rights: list[str]
    queues: list[str] | None = Field(description="null: all of them.")
    types: list[str] | None = Field(description="null: all of them.")
    keys: list[str] | None = Field(description="null: any or none.")
    requests_a_minute: int | None
    jobs_a_day: int | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None


class NewTokenResponse(TokenResponse):
    """A new token. Its text is shown this once."""

    token: str


class TokensResponse(ResponseModel):
    """The stored tokens, the oldest first."""

    tokens: list[TokenResponse]


async def index(call: Call) -> Response:
    """The stored tokens; also those that have ended within a month."""
    rows = [TokenResponse(**describe_token(one)) for one in await _tokens(call).list()]
    return json_response(TokensResponse(tokens=rows))


async def create(call: Call) -> Response:
    """Make a token. It opens what it may within 10 seconds, and nobody can hand out a right that
    they do not have."""
    request = await _read(call, CreateToken)
    reached = [queue for name in request.queues or (None,) for queue in call.queues(name)]
    new = await _tokens(call).create(
        request.name,
        rights_of(request.roles, request.rights),
        request.queues and [queue.name for queue in reached],
        by=call.caller,
        seconds=request.expires_in,
        types=request.types and check_types(request.types, reached),
        keys=request.keys,
        allowance=Allowance(request.requests_a_minute, request.jobs_a_day),
    )
    return json_response(NewTokenResponse(**describe_new(new)), status=201)


async def revoke(call: Call) -> Response:
    """Delete a token. It opens nothing after a minute at the latest."""
    token = await _tokens(call).revoke(call.param("token"), by=call.caller)
    return json_response(TokenResponse(**describe_token(token)))


async def rotate(call: Call) -> Response:
    """Make a token that takes the place of this one, which goes on working for a while."""
    request = await _read(call, RotateToken)
    new = await _tokens(call).rotate(call.param("token"), by=call.caller, overlap=request.overlap)
    return json_response(NewTokenResponse(**describe_new(new)), status=201)


def _tokens(call: Call) -> Tokens:
    deployment = call.deployment
    return Tokens(deployment.store.access, deployment.settings.prefix, deployment.clock)


async def _read(call: Call, model: type[M]) -> M:
    try:
        return model.model_validate(await read_object(call.request))
    except ValidationError as error:
        fields = field_errors(error)
        raise InvalidRequest("The request does not fit; see `errors`.", fields) from None
