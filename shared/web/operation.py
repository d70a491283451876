"""One operation of the HTTP API, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from ..access.authorizer import Access
from .call import Handler

Models = tuple[type[BaseModel], ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API. Where several models are listed, one of them applies. `problems`:
    statuses of its own beside those that follow from the other fields. `head`: a HEAD request is
    answered as this GET, without the body; False where a GET has effects."""

    method: str
    path: str
    access: Access
    handler: Handler
    responses: Mapping[int, Models]
    takes: Models = ()
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[int, ...] = ()
    head: bool = True
